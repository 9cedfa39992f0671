package event_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

func TestAContentHasTheNamesThatGitGivesToIt(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		folder := t.TempDir()
		git(t, folder, "", "init", "-q", "--bare", "--object-format="+format)
		for _, data := range []string{"", "\n", "kind: ConfigMap\n", "a\r\nb\x00", strings.Repeat("x", 100_000)} {
			name := strings.TrimSpace(git(t, folder, data, "hash-object", "--stdin"))
			c := event.NewContent([]byte(data))
			sha1, sha256 := c.SHA1(), c.SHA256()
			require.Contains(t, []string{hex.EncodeToString(sha1[:]), hex.EncodeToString(sha256[:])}, name)
			require.True(t, c.Names(name))
			d := c.Digest()
			require.True(t, d.Names(name))
			require.Equal(t, data, string(c.Bytes()))
			require.Equal(t, len(data), c.Size())
		}
	}
}

func TestADigestTellsContentsApartByItsFirstSixteenBytes(t *testing.T) {
	t.Parallel()
	c := event.NewContent([]byte("a"))
	d := c.Digest()
	for _, name := range namesOf(c) {
		for i := range name {
			other := []byte(name)
			other[i] ^= 1
			require.False(t, c.Names(string(other)))
			require.Equal(t, i >= 2*16, d.Names(string(other)), "digit %d of %s", i, name)
		}
		for _, other := range []string{"", name[:32], name[:len(name)-1], name + "0", " " + name[1:], strings.Repeat("0", len(name))} {
			require.False(t, c.Names(other), other)
			require.False(t, d.Names(other), other)
		}
	}
	require.Equal(t, d, event.NewContent([]byte("a")).Digest())
	require.NotEqual(t, d, event.NewContent([]byte("b")).Digest())
}

func TestNothingIsTheNameOfAContentThatIsNotKnown(t *testing.T) {
	t.Parallel()
	var none *event.Content
	var unknown event.Digest
	require.Nil(t, none.Bytes())
	require.Zero(t, none.Size())
	require.Equal(t, unknown, none.Digest())
	for _, name := range append(namesOf(event.NewContent(nil)), "", strings.Repeat("0", 40), strings.Repeat("0", 64)) {
		require.False(t, none.Names(name), name)
		require.False(t, unknown.Names(name), name)
	}
}

func TestAContentShowsInNoLogHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-word"
	c := event.NewContent([]byte(secret))
	numbers := strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]")
	encoded, err := json.Marshal([]byte(secret))
	require.NoError(t, err)
	forms := []string{secret, hex.EncodeToString([]byte(secret)), fmt.Sprintf("%X", secret), numbers, strings.ReplaceAll(numbers, " ", ","), strings.Trim(string(encoded), `"`)}
	for _, value := range []any{
		c, *c, []*event.Content{c}, []event.Content{*c}, map[string]event.Content{"a": *c}, struct{ C *event.Content }{c},
		struct{ C event.Content }{*c}, struct{ c *event.Content }{c}, []struct{ c *event.Content }{{c}},
	} {
		var printed []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U"} {
			printed = append(printed, fmt.Sprintf(verb, value))
		}
		text, err := json.Marshal(value)
		require.NoError(t, err)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		printed = append(printed, string(text), log.String())
		keep := func(_, args string) { printed = append(printed, args) }
		funcr.New(keep, funcr.Options{}).Info("x", "value", value)
		for _, text := range printed {
			for _, form := range forms {
				require.NotContains(t, text, form, "%T", value)
			}
		}
	}
	require.Equal(t, "content of 11 bytes", c.String())
	require.NotPanics(t, func() { _ = fmt.Sprint((*event.Content)(nil)) })
}

// namesOf returns both names of a content.
func namesOf(c *event.Content) []string {
	sha1, sha256 := c.SHA1(), c.SHA256()
	return []string{hex.EncodeToString(sha1[:]), hex.EncodeToString(sha256[:])}
}

func BenchmarkDigestNames(b *testing.B) {
	c := event.NewContent([]byte("a"))
	d := c.Digest()
	for i, name := range namesOf(c) {
		b.Run([]string{"sha1", "sha256"}[i], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !d.Names(name) {
					b.Fatal("it is not the name")
				}
			}
		})
	}
}
