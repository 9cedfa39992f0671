package canonical_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// few draws a short text of the characters.
func few(r *rand.Rand, characters string) string {
	var b strings.Builder
	for range 1 + r.IntN(9) {
		b.WriteByte(characters[r.IntN(len(characters))])
	}
	return b.String()
}

// TestWhatCouldBeReadAsSomethingElseIsQuotedAsBefore draws texts of few characters, so that most of
// what the rules tell apart comes up.
func TestWhatCouldBeReadAsSomethingElseIsQuotedAsBefore(t *testing.T) {
	t.Parallel()
	r := testsize.Chance(t)
	var c compared
	require.NoError(t, c.check([]byte(`{"a":[".80E9_0",".9E9_99","._8E1",".8_E1",".8E1_","1_.e_1","-_.1e1_0","0b-1","-0b1","0_x1F","0o-7","1__0","2020-01-01\nx"]}`)))
	for range (testsize.Sizes{Short: 10, Usual: 40, Long: 150, Soak: 50_000}).Pick() {
		object := map[string]any{}
		for i := range 200 {
			s := few(r, []string{"01", "0189+-._eE:,", "0xXoObB17fF_+-", "2019-01-1tT \n:", ".inNfFaA+-", "nNoOyYeEsS", "trueTRUEfalsFALS", "nulNUL~=<", "-: #?\t'\"a\n", "01_eE.+-", "oOfFnN", "0ob-+17", ".89E_0", "1_.eE9"}[r.IntN(14)])
			object[strconv.Itoa(i)+"k"] = s
			object[s] = []any{s}
		}
		text, err := json.Marshal(object)
		require.NoError(t, err)
		if err := c.check(text); err != nil {
			require.NoError(t, err, "%q", text)
		}
	}
}

// every calls f with all texts of up to so many of the characters.
func every(characters string, length int, f func(text string)) {
	texts := []string{""}
	for range length {
		var longer []string
		for _, text := range texts {
			for _, c := range characters {
				longer = append(longer, text+string(c))
				f(text + string(c))
			}
		}
		texts = longer
	}
}

// TestEveryShortTextOfSomeCharactersIsWrittenAsBefore has all that could be numbers and times.
func TestEveryShortTextOfSomeCharactersIsWrittenAsBefore(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	var c compared
	var texts []string
	flush := func() {
		text, err := json.Marshal(map[string]any{"a": texts})
		require.NoError(t, err)
		require.NoError(t, c.check(text))
		texts = texts[:0]
	}
	for _, f := range []struct {
		before, characters string
		length             int
	}{
		{"", "019_.eE-+:", 4}, {"", "0bxo1_-+", 5}, {"", ".8E1_", 6}, {"", "1_.e+", 6}, {"", "-.8_e", 6}, {"", "0_x1aF.", 5}, {"", "0,1.:e_", 5},
		{"", "20-1T \n", 5}, {"2019-1", "20-1T \n", 4}, {"2019-11-1", "20-1t \nx", 4}, {"", "-:? #a'\t", 5},
	} {
		every(f.characters, f.length, func(text string) {
			if texts = append(texts, f.before+text); len(texts) == 1000 {
				flush()
			}
		})
		flush()
	}
}

// TestEveryCharacterIsWrittenAsBefore has each one alone, between others, in lines and in a key.
func TestEveryCharacterIsWrittenAsBefore(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	var c compared
	chance, share := testsize.Chance(t), testsize.Sizes{Usual: 6, Long: 4, Soak: 1}.Pick()
	for begin := rune(0); begin <= 0x10ffff; begin += 0x200 {
		if begin >= 0x400 && chance.IntN(share) > 0 {
			continue
		}
		if alike := begin%0x10000 != 0 && begin%0x10000 < 0xfe00; begin >= 0x3400 && begin < 0xd600 || begin >= 0xe200 && begin < 0xf800 || begin > 0xffff && alike {
			continue
		}
		object := map[string]any{}
		for r := begin; r < begin+0x200; r++ {
			s := string(r)
			object["a"+s+"b"] = []any{s, s + "a", "a" + s, "a" + s + "b", "a\nb" + s + "c\n", "a \nb" + s + "\nc", s + s}
		}
		text, err := json.Marshal(object)
		require.NoError(t, err)
		if err := c.check(text); err != nil {
			require.NoError(t, err, "from %U on", begin)
		}
	}
}

func TestFloatsAreWrittenAsBefore(t *testing.T) {
	t.Parallel()
	r := testsize.Chance(t)
	var c compared
	for range (testsize.Sizes{Usual: 20, Long: 200}).Pick() {
		var floats []any
		for range 500 {
			f := math.Float64frombits(r.Uint64())
			if r.IntN(2) == 0 {
				f = r.NormFloat64() * math.Pow(10, float64(r.IntN(60)-30))
			}
			if !math.IsNaN(f) && !math.IsInf(f, 0) {
				floats = append(floats, f)
			}
		}
		text, err := json.Marshal(map[string]any{"a": floats})
		require.NoError(t, err)
		require.NoError(t, c.check(text))
	}
}
