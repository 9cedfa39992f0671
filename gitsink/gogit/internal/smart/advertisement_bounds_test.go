package smart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// cutAfter says a text and then fails in a way that is no end.
func cutAfter(text string) io.Reader {
	return io.MultiReader(strings.NewReader(text), iotest.ErrReader(errCut))
}

func TestAPacketIsReadToItsLastByteAndNoFurther(t *testing.T) {
	longest := strings.Repeat("x", maxPacket-4)
	for name, c := range map[string]struct {
		text  string
		limit int64
		kind  packetKind
		line  string
	}{
		"a flush":              {"0000", 4, packetFlush, ""},
		"a delimiter":          {"0001", 4, packetDelim, ""},
		"an end of a response": {"0002", 4, packetEnd, ""},
		"an empty line":        {"0004", 4, packetLine, ""},
		"a line":               {"0009helloX", 9, packetLine, "hello"},
		"digits in capitals":   {"000Ahello!", 10, packetLine, "hello!"},
		"the longest":          {"fff0" + longest, maxPacket, packetLine, longest},
		"what is almost ERR":   {"0007ERR", 7, packetLine, "ERR"},
	} {
		kind, line, err := newPackets(strings.NewReader(c.text), "a test", c.limit).next()
		require.NoError(t, err, name)
		require.Equal(t, c.kind, kind, name)
		require.Equal(t, c.line, string(line), name)
	}
}

func TestAPacketThatDoesNotComeWholeSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		from  io.Reader
		limit int64
		want  error
		says  string
	}{
		"an end between packets":       {strings.NewReader(""), 100, io.EOF, ""},
		"an end in the length":         {strings.NewReader("00"), 100, io.ErrUnexpectedEOF, ""},
		"an end before the line":       {strings.NewReader("0009"), 100, io.ErrUnexpectedEOF, ""},
		"an end in the line":           {strings.NewReader("0009he"), 100, io.ErrUnexpectedEOF, ""},
		"a cut between packets":        {cutAfter(""), 100, errCut, ""},
		"a cut in the length":          {cutAfter("00"), 100, errCut, ""},
		"a cut in the line":            {cutAfter("0009he"), 100, errCut, ""},
		"a length beyond the bound":    {strings.NewReader("0009hello"), 3, gitsink.ErrTooLarge, "a test is longer than 3 bytes"},
		"a line beyond the bound":      {strings.NewReader("0009hello"), 8, gitsink.ErrTooLarge, "a test is longer than 8 bytes"},
		"three":                        {strings.NewReader("0003"), 100, gitsink.ErrProtocol, "the length 3"},
		"more than the longest":        {strings.NewReader("fff1"), 100, gitsink.ErrProtocol, "the length 65521"},
		"no digit":                     {strings.NewReader("000g"), 100, gitsink.ErrProtocol, `"000g"`},
		"a control like a digit":       {strings.NewReader("000\x10"), 100, gitsink.ErrProtocol, "in place of its length"},
		"what comes before the digits": {strings.NewReader("000/"), 100, gitsink.ErrProtocol, `"000/"`},
	} {
		kind, line, err := newPackets(c.from, "a test", c.limit).next()
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
		if errors.Is(c.want, io.EOF) {
			require.NotErrorIs(t, err, io.ErrUnexpectedEOF, name)
		}
		require.Zero(t, kind, name)
		require.Nil(t, line, name)
	}
	for _, head := range []string{"000g", "0003", "fff1"} {
		length, err := packetLength([4]byte([]byte(head)))
		require.Error(t, err, head)
		require.Zero(t, length, head)
	}
	n, err := newPackets(strings.NewReader("0000"), "a test", 3).fill(make([]byte, 4))
	require.ErrorIs(t, err, gitsink.ErrTooLarge)
	require.Zero(t, n, "nothing was read")
}

func TestAnErrorQuotesNoMoreThanALittle(t *testing.T) {
	long := bytes.Repeat([]byte("y"), 100)
	require.Equal(t, "yyy", string(excerpt(long[:3])))
	require.Equal(t, strings.Repeat("y", 64), string(excerpt(long)))
	err := Malformed("it says %q", "x")
	require.ErrorIs(t, err, gitsink.ErrProtocol)
	require.ErrorContains(t, err, `it says "x"`)
}

const offeredBy = "\x00ofs-delta agent=git/2.47 odd=1\n"

// advertisedTo reads an advertisement for the branch a/b, whose first line has capabilities.
func advertisedTo(text string) (*Advertisement, error) {
	return readAdvertisement(strings.NewReader(text), "refs/heads/a/b")
}

func TestOfAnAdvertisementIsKeptWhatMattersToTheBranch(t *testing.T) {
	one, other := hexID(someHash), hexID(otherHash)
	first := func(name string) string { return pkt(someHash + " " + name + offeredBy) }
	next := func(name string) string { return pkt(otherHash + " " + name + "\n") }
	for name, c := range map[string]struct {
		text  string
		refs  map[string]object.ID
		head  object.ID
		empty bool
	}{
		"no reference":             {first("capabilities^{}"), nil, object.ID{}, true},
		"borrowed objects alone":   {first(".have") + next(".have"), nil, object.ID{}, true},
		"a head alone":             {first("HEAD"), nil, one, true},
		"a head and another":       {first("HEAD") + next("refs/heads/x"), nil, one, false},
		"another":                  {first("refs/heads/x"), nil, object.ID{}, false},
		"a longer name":            {first("refs/heads/a/bc") + next("refs/heads/a"[:11]), nil, object.ID{}, false},
		"the branch first":         {first("refs/heads/a/b") + next("HEAD"), map[string]object.ID{"refs/heads/a/b": one}, other, false},
		"the branch after another": {first("refs/heads/0") + next("refs/heads/a/b"), map[string]object.ID{"refs/heads/a/b": other}, object.ID{}, false},
		"one below the branch":     {first("refs/heads/a/b/c"), map[string]object.ID{"refs/heads/a/b/c": one}, object.ID{}, false},
		"one above the branch":     {first("refs/heads/a"), map[string]object.ID{"refs/heads/a": one}, object.ID{}, false},
		"two of many in its way": {
			first("refs/heads/a/b/1") + next("refs/heads/a/b/2") + next("refs/heads/a/b/3") + next("refs/heads/a/b/4"),
			map[string]object.ID{"refs/heads/a/b/1": one, "refs/heads/a/b/2": other}, object.ID{}, false,
		},
		"a tag and what it leads to": {first("refs/tags/v1") + next("refs/tags/v1^{}"), nil, object.ID{}, false},
		"where the history ends":     {first("refs/heads/a") + pkt("shallow "+otherHash+"\n"), map[string]object.ID{"refs/heads/a": one}, object.ID{}, false},
		"the front of HTTP":          {pkt("# service=x\n") + "0000" + first("HEAD"), nil, one, true},
		"a front without its flush":  {pkt("# service=x\n") + first("HEAD"), nil, one, true},
		"a version":                  {pkt("version 1\n") + first("HEAD"), nil, one, true},
		"a front and a version":      {pkt("# service=x\n") + "0000" + pkt("version 1") + first("HEAD"), nil, one, true},
	} {
		a, err := advertisedTo(c.text + "0000")
		require.NoError(t, err, name)
		require.Equal(t, len(c.refs), len(a.Refs), name)
		for ref, hash := range c.refs {
			require.Equal(t, hash, a.Refs[ref], name)
		}
		require.Equal(t, c.head, a.Head, name)
		require.Equal(t, c.empty, a.Empty, name)
		require.True(t, a.Capabilities.Supports("ofs-delta"), name)
		require.Equal(t, []string{"git/2.47"}, a.Capabilities.Get("agent"), name)
		require.Equal(t, []string{"1"}, a.Capabilities.Get("odd"), name)
	}
}

func TestAnAdvertisementThatIsNoneSaysWhy(t *testing.T) {
	first := pkt(someHash + " HEAD" + offeredBy)
	many := func(n int) string { return pkt(someHash + " HEAD\x00" + strings.Repeat("odd=1 ", n)) }
	for name, c := range map[string]struct {
		from io.Reader
		want error
		says string
	}{
		"an end before anything":     {strings.NewReader(""), io.ErrUnexpectedEOF, ""},
		"an end behind the front":    {strings.NewReader(pkt("# service=x\n") + "0000"), io.ErrUnexpectedEOF, ""},
		"an end without a flush":     {strings.NewReader(first), io.ErrUnexpectedEOF, ""},
		"a cut before anything":      {cutAfter(""), errCut, ""},
		"a cut behind the front":     {cutAfter(pkt("# service=x\n")), errCut, ""},
		"a cut behind the version":   {cutAfter(pkt("version 1\n")), errCut, ""},
		"a cut in the middle":        {cutAfter(first), errCut, ""},
		"nothing":                    {strings.NewReader("0000"), errSilent, ""},
		"nothing behind the front":   {strings.NewReader(pkt("# service=x\n") + "00000000"), errSilent, ""},
		"another packet":             {strings.NewReader(first + "0001" + "0000"), gitsink.ErrProtocol, "a packet of another protocol"},
		"another packet at once":     {strings.NewReader("0002" + first + "0000"), gitsink.ErrProtocol, "a packet of another protocol"},
		"no capabilities":            {strings.NewReader(pkt(someHash+" HEAD\n") + "0000"), gitsink.ErrProtocol, "has no capabilities"},
		"capabilities twice":         {strings.NewReader(first + first + "0000"), gitsink.ErrProtocol, "names no reference"},
		"too many capabilities":      {strings.NewReader(many(maxCapabilities+1) + "0000"), gitsink.ErrTooLarge, "257 capabilities, and 256 are allowed"},
		"objects of another kind":    {strings.NewReader(pkt(someHash+" HEAD\x00object-format=sha512\n") + "0000"), gitsink.ErrUnsupported, "object-format sha512"},
		"an object without a name":   {strings.NewReader(first + pkt(someHash) + "0000"), gitsink.ErrProtocol, "names no reference"},
		"an object with no name":     {strings.NewReader(first + pkt(someHash+" ") + "0000"), gitsink.ErrProtocol, "names no reference"},
		"a name with a space":        {strings.NewReader(first + pkt(someHash+" refs/heads/a b") + "0000"), gitsink.ErrProtocol, "names no reference"},
		"a name without an object":   {strings.NewReader(first + pkt("x refs/heads/a") + "0000"), gitsink.ErrProtocol, `"x" is no name of an object`},
		"an end of history nowhere":  {strings.NewReader(first + pkt("shallow x") + "0000"), gitsink.ErrProtocol, `"x" is no name of an object`},
		"an object's name too short": {strings.NewReader(first + pkt(someHash[:38]+" refs/heads/a") + "0000"), gitsink.ErrProtocol, "is no name of an object"},
	} {
		a, err := readAdvertisement(c.from, "refs/heads/main")
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
		require.Nil(t, a, name)
	}
	a, err := advertisedTo(many(maxCapabilities) + "0000")
	require.NoError(t, err)
	require.Len(t, a.Capabilities.Get("odd"), maxCapabilities)
	_, err = advertisedTo(pkt(someHash+" HEAD\x00object-format=sha1 object-formats=x\n") + "0000")
	require.NoError(t, err)
}

func TestANameOfAnObjectHasItsLengthAndItsDigits(t *testing.T) {
	hash, err := parseID(object.SHA1, []byte(someHash))
	require.NoError(t, err)
	require.Equal(t, hexID(someHash), hash)
	for _, text := range []string{"", someHash[:38], someHash[:39], someHash + "1", someHash + "11", strings.Repeat("z", 40), someHash[:39] + "g"} {
		_, err := parseID(object.SHA1, []byte(text))
		require.ErrorIs(t, err, gitsink.ErrProtocol, text)
		require.ErrorContains(t, err, fmt.Sprintf("%q is no name of an object", text))
	}
}
