package sops

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The bounds of a .sops.yaml.
const (
	maxConfig = 1 << 20 // bytes
	maxRules  = 1000
)

// creationRule is what one of the creation_rules says.
type creationRule struct {
	path       *regexp.Regexp // nil: of every file
	recipients []string
	regex      string // encrypted_regex
	suffix     string // encrypted_suffix
	macAll     bool   // mac_only_encrypted: false
}

// fields reads the fields of a creation rule that are honoured.
var fields = map[string]func(*creationRule, any) error{
	"path_regex": func(r *creationRule, v any) (err error) {
		text, err := asText(v)
		if err == nil && text != "" {
			r.path, err = regexp.Compile(text)
		}
		return err
	},
	"age": func(r *creationRule, v any) (err error) {
		r.recipients, err = recipientList(v)
		return err
	},
	"key_groups": func(r *creationRule, v any) (err error) {
		r.recipients, err = onlyGroup(v)
		return err
	},
	"encrypted_regex": func(r *creationRule, v any) (err error) {
		if r.regex, err = asText(v); err == nil {
			_, err = newHider(scope{EncryptedRegex: r.regex})
		}
		return err
	},
	"encrypted_suffix": func(r *creationRule, v any) (err error) {
		r.suffix, err = asText(v)
		return err
	},
	"mac_only_encrypted": func(r *creationRule, v any) error {
		only, ok := v.(bool)
		r.macAll = !only
		if !ok {
			return errors.New("want true or false")
		}
		return nil
	},
	"shamir_threshold": func(_ *creationRule, v any) error {
		if v != 0 && v != 1 {
			return errors.New("the data key is not split: want one group of keys and no threshold")
		}
		return nil
	},
}

// refusals are the fields that SOPS honours and this package does not, with what to do.
var refusals = map[string]string{
	"kms": onlyAge, "aws_profile": onlyAge, "pgp": onlyAge, "gcp_kms": onlyAge, "hckms": onlyAge,
	"azure_keyvault": onlyAge, "hc_vault_transit_uri": onlyAge,
	"unencrypted_regex":         onlyEncrypted,
	"unencrypted_suffix":        onlyEncrypted,
	"unencrypted_comment_regex": onlyEncrypted,
	"encrypted_comment_regex":   onlyEncrypted,
}

const (
	onlyAge       = "only age is supported: remove it, or leave this file to SOPS itself"
	onlyEncrypted = "say what is encrypted, by encrypted_regex or encrypted_suffix"
)

// parseConfig reads the creation_rules of a .sops.yaml. It returns all faults, each with its rule
// and field.
func parseConfig(text []byte) ([]creationRule, error) {
	if len(text) > maxConfig {
		return nil, fmt.Errorf("%w: Config has %d bytes, more than %d", ErrKeys, len(text), maxConfig)
	}
	var file struct {
		Rules []map[string]any `yaml:"creation_rules"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil { // it bounds what aliases come to
		return nil, fmt.Errorf("%w: Config is no .sops.yaml: %w", ErrKeys, err)
	}
	if len(file.Rules) == 0 || len(file.Rules) > maxRules {
		return nil, fmt.Errorf("%w: Config has %d creation_rules, want 1 to %d", ErrKeys, len(file.Rules), maxRules)
	}
	rules := make([]creationRule, len(file.Rules))
	var faults []error
	for i, given := range file.Rules {
		for _, field := range slices.Sorted(maps.Keys(given)) {
			if err := rules[i].set(field, given[field]); err != nil {
				faults = append(faults, fmt.Errorf("%w: Config: creation_rules[%d].%s: %w", ErrKeys, i, field, err))
			}
		}
		if rules[i].regex != "" && rules[i].suffix != "" {
			faults = append(faults, fmt.Errorf("%w: Config: creation_rules[%d]: encrypted_regex and encrypted_suffix exclude each other", ErrKeys, i))
		}
	}
	return rules, errors.Join(faults...)
}

func (r *creationRule) set(field string, v any) error {
	if v == nil || v == "" {
		return nil
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		return nil
	}
	if set, ok := fields[field]; ok {
		return set(r, v)
	}
	if why, ok := refusals[field]; ok {
		return errors.New(why)
	}
	return fmt.Errorf("it is not known; these are: %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
}

func asText(v any) (string, error) {
	text, ok := v.(string)
	if !ok {
		return "", errors.New("want text")
	}
	return text, nil
}

// recipientList reads recipients that are separated by commas, or in a list.
func recipientList(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var all []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, errors.New("want recipients, separated by commas or in a list")
		}
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// onlyGroup reads the recipients of the one group of keys.
func onlyGroup(v any) ([]string, error) {
	groups, _ := v.([]any)
	if len(groups) != 1 {
		return nil, errors.New("want a list with one group: the data key is not split")
	}
	group, _ := groups[0].(map[string]any)
	for name, keys := range group {
		if list, isList := keys.([]any); name != "age" && keys != nil && (!isList || len(list) > 0) {
			return nil, fmt.Errorf("the group has keys of the kind %q: %s", name, onlyAge)
		}
	}
	return recipientList(group["age"])
}
