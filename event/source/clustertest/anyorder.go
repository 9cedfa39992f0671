package clustertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// appendJSON adds v as JSON, the fields of each object in any order: the API gives them none, and a
// reader that takes an object in as it comes must not wait for apiVersion or metadata to stand
// first.
func appendJSON(dst []byte, v any, random *rand.Rand) []byte {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return append(dst, "null"...)
		}
		fields := slices.Sorted(maps.Keys(v))
		random.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		dst = append(dst, '{')
		for i, field := range fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSON(dst, field, random), ':')
			dst = appendJSON(dst, v[field], random)
		}
		return append(dst, '}')
	case []any:
		if v == nil {
			return append(dst, "null"...)
		}
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item, random)
		}
		return append(dst, ']')
	}
	data, err := json.Marshal(v)
	if err != nil {
		// the content came from JSON
		panic(fmt.Sprintf("clustertest: encoding decoded JSON: %v", err))
	}
	return append(dst, data...)
}
