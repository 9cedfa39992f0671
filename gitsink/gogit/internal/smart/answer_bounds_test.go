package smart

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// negotiated is what readNegotiation makes of an answer, and what is left of it.
func negotiated(from io.Reader, shallow bool) (found []object.ID, rest string, err error) {
	r := bufio.NewReader(from)
	found, err = readNegotiation(object.SHA1, r, shallow)
	left, _ := io.ReadAll(r)
	return found, string(left), err
}

func TestWhatFollowsANegotiationIsThePack(t *testing.T) {
	ack, nak := pkt("ACK "+someHash+" common\n"), pkt("NAK\n")
	for name, c := range map[string]struct {
		text    string
		shallow bool
		rest    string
	}{
		"nothing is common":         {nak, false, "PACK and more"},
		"something is common":       {ack, false, "PACK and more"},
		"several answers":           {ack + nak + ack + nak, false, "PACK and more"},
		"the pack in a sideband":    {nak, false, pkt("\x01PACK")},
		"a history that ends":       {pkt("shallow "+someHash+"\n") + "0000" + nak, true, "PACK and more"},
		"a history that is whole":   {"0000" + nak, true, "PACK and more"},
		"what is shorter than ACK":  {nak, false, "00"},
		"what is a little longer":   {nak, false, "0008A"},
		"nothing":                   {nak, false, ""},
		"as many answers as may be": {strings.Repeat(nak, maxACKs), false, "PACK and more"},
	} {
		found, rest, err := negotiated(strings.NewReader(c.text+c.rest), c.shallow)
		require.NoError(t, err, name)
		require.Equal(t, c.rest, rest, name)
		require.Equal(t, strings.Contains(c.text, "shallow"), len(found) == 1, name)
	}
}

func TestANegotiationThatIsNoneSaysWhy(t *testing.T) {
	ack, nak := pkt("ACK "+someHash+"\n"), pkt("NAK\n")
	for name, c := range map[string]struct {
		from    io.Reader
		shallow bool
		want    error
		says    string
	}{
		"an end before the first answer":    {strings.NewReader(""), false, io.ErrUnexpectedEOF, ""},
		"a cut before the first answer":     {cutAfter(""), false, errCut, ""},
		"an end in the history":             {strings.NewReader(pkt("shallow " + someHash)), true, io.ErrUnexpectedEOF, ""},
		"a cut in the history":              {cutAfter(""), true, errCut, ""},
		"no packet in the history":          {strings.NewReader("zzzz" + nak), true, gitsink.ErrProtocol, ""},
		"a pack at once":                    {strings.NewReader(pkt("\x01PACK")), false, gitsink.ErrProtocol, `begins with "\x01PACK"`},
		"another word":                      {strings.NewReader(pkt("done\n") + nak), false, gitsink.ErrProtocol, `begins with "done\n"`},
		"a flush":                           {strings.NewReader("0000" + nak), false, gitsink.ErrProtocol, "begins with"},
		"another word of the history":       {strings.NewReader(pkt("deepen 1") + "0000" + nak), true, gitsink.ErrProtocol, "does not say where the history ends"},
		"an object in the history":          {strings.NewReader(pkt(someHash) + "0000" + nak), true, gitsink.ErrProtocol, "does not say where the history ends"},
		"a history that ends nowhere":       {strings.NewReader(pkt("shallow x") + "0000" + nak), true, gitsink.ErrProtocol, "is no name of an object"},
		"another packet in the history":     {strings.NewReader("0001" + "0000" + nak), true, gitsink.ErrProtocol, "a packet of another protocol"},
		"a last word behind an answer":      {strings.NewReader(ack + pkt("ERR not our ref")), false, ErrRefused, ""},
		"an end in the second answer":       {strings.NewReader(nak + "0031ACK"), false, io.ErrUnexpectedEOF, ""},
		"more answers than may be":          {strings.NewReader(strings.Repeat(nak, maxACKs+1) + "PACK"), false, gitsink.ErrTooLarge, "more than 1024 answers"},
		"more ends of history than may be":  {strings.NewReader(strings.Repeat(pkt("shallow "+someHash), maxShallows+1) + "0000" + nak), true, gitsink.ErrTooLarge, "more than 65536 commits"},
		"a word that only begins like NAK ": {strings.NewReader(pkt("ACKNOWLEDGED")), false, gitsink.ErrProtocol, "begins with"},
	} {
		found, _, err := negotiated(c.from, c.shallow)
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
		if c.shallow {
			require.Empty(t, found, name)
		}
	}
}

func reportOf(from io.Reader, names ...plumbing.ReferenceName) (*packp.ReportStatus, error) {
	return readReport(from, names...)
}

func TestAReportSaysWhatBecameOfWhatWasAskedFor(t *testing.T) {
	long := strings.Repeat("w", maxWords+1)
	for name, c := range map[string]struct {
		lines  string
		unpack string
		want   map[plumbing.ReferenceName]string
	}{
		"nothing but the pack": {pkt("unpack ok\n"), "ok", nil},
		"no line break":        {pkt("unpack ok") + pkt("ok r/a"), "ok", map[plumbing.ReferenceName]string{"r/a": "ok"}},
		"both":                 {pkt("unpack ok\n") + pkt("ok r/a\n") + pkt("ng r/b no Mondays\n"), "ok", map[plumbing.ReferenceName]string{"r/a": "ok", "r/b": "no Mondays"}},
		"another reference":    {pkt("unpack ok\n") + pkt("ok r/c\n") + pkt("ok r/b\n"), "ok", map[plumbing.ReferenceName]string{"r/b": "ok"}},
		"long words":           {pkt("unpack "+long) + pkt("ng r/a "+long), long[1:], map[plumbing.ReferenceName]string{"r/a": long[1:]}},
	} {
		report, err := reportOf(strings.NewReader(c.lines+"0000"+"more"), "r/a", "r/b")
		require.NoError(t, err, name)
		require.Equal(t, c.unpack, report.UnpackStatus, name)
		require.Len(t, report.CommandStatuses, len(c.want), name)
		for _, s := range report.CommandStatuses {
			require.Equal(t, c.want[s.ReferenceName], s.Status, name)
		}
	}
	report, err := reportOf(strings.NewReader(pkt("unpack ok\n")+strings.Repeat(pkt("ok r/a\n"), 5)+"0000"), "r/a")
	require.NoError(t, err)
	require.Len(t, report.CommandStatuses, 2, "one that says another thing is seen, and no more are held")
}

func TestAReportThatIsNoneSaysWhy(t *testing.T) {
	unpacked := pkt("unpack ok\n")
	for name, c := range map[string]struct {
		from io.Reader
		want error
		says string
	}{
		"an end at once":             {strings.NewReader(""), io.ErrUnexpectedEOF, ""},
		"an end in the middle":       {strings.NewReader(unpacked), io.ErrUnexpectedEOF, ""},
		"a cut at once":              {cutAfter(""), errCut, ""},
		"a cut in the middle":        {cutAfter(unpacked), errCut, ""},
		"a flush at once":            {strings.NewReader("0000"), gitsink.ErrProtocol, "a packet of another kind"},
		"a delimiter at once":        {strings.NewReader("0001" + "0000"), gitsink.ErrProtocol, "a packet of another kind"},
		"a delimiter in the middle":  {strings.NewReader(unpacked + "0001" + "0000"), gitsink.ErrProtocol, "a packet of another kind"},
		"another beginning":          {strings.NewReader(pkt("ok r/a\n") + "0000"), gitsink.ErrProtocol, `begins with "ok r/a"`},
		"the beginning twice":        {strings.NewReader(unpacked + unpacked + "0000"), gitsink.ErrProtocol, `says "unpack ok"`},
		"no reference that is set":   {strings.NewReader(unpacked + pkt("ok\n") + "0000"), gitsink.ErrProtocol, `says "ok"`},
		"an empty one that is set":   {strings.NewReader(unpacked + pkt("ok ") + "0000"), gitsink.ErrProtocol, `says "ok "`},
		"a reason for what is set":   {strings.NewReader(unpacked + pkt("ok r/a because") + "0000"), gitsink.ErrProtocol, `says "ok r/a because"`},
		"no reason for what is not":  {strings.NewReader(unpacked + pkt("ng r/a") + "0000"), gitsink.ErrProtocol, `says "ng r/a"`},
		"an empty reason":            {strings.NewReader(unpacked + pkt("ng r/a ") + "0000"), gitsink.ErrProtocol, `says "ng r/a "`},
		"no reference that is not":   {strings.NewReader(unpacked + pkt("ng  because") + "0000"), gitsink.ErrProtocol, `says "ng  because"`},
		"a reason that reads as yes": {strings.NewReader(unpacked + pkt("ng r/a ok") + "0000"), gitsink.ErrProtocol, `says "ng r/a ok"`},
		"another verdict":            {strings.NewReader(unpacked + pkt("maybe r/a") + "0000"), gitsink.ErrProtocol, `says "maybe r/a"`},
	} {
		report, err := reportOf(c.from, "r/a")
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
		require.Nil(t, report, name)
	}
}

func listOf(names ...capability.Capability) *capability.List {
	list := capability.NewList()
	for _, name := range names {
		_ = list.Add(name)
	}
	return list
}

func TestASidebandIsSeparatedFromWhatIsSaid(t *testing.T) {
	plain := strings.NewReader("plain")
	require.Same(t, plain, demultiplex(listOf("ofs-delta"), plain, io.Discard, noLimit))
	for _, band := range []capability.Capability{capability.Sideband, capability.Sideband64k} {
		var words bytes.Buffer
		d := demultiplex(listOf(band), strings.NewReader(pkt("\x01hello")+pkt("\x01")+pkt("\x02one ")+pkt("\x02two")+pkt("\x01, world")+"0000"), &words, noLimit)
		p := make([]byte, 3)
		n, err := d.Read(p)
		require.NoError(t, err)
		require.Equal(t, "hel", string(p[:n]), "a packet in parts")
		data, err := io.ReadAll(d)
		require.NoError(t, err)
		require.Equal(t, "lo, world", string(data))
		require.Equal(t, "one two", words.String())
		n, err = d.Read(p)
		require.Equal(t, io.EOF, err, "as often as it is asked")
		require.Zero(t, n)
	}
}

func TestASidebandThatIsNoneSaysWhy(t *testing.T) {
	progress := strings.Repeat(pkt("\x02"+strings.Repeat("w", 1<<15)), maxProgress>>15)
	for name, c := range map[string]struct {
		from  io.Reader
		limit int64
		want  error
		says  string
	}{
		"an end without a flush": {strings.NewReader(pkt("\x01x")), noLimit, io.ErrUnexpectedEOF, ""},
		"a cut":                  {cutAfter(pkt("\x01x")), noLimit, errCut, ""},
		"another packet":         {strings.NewReader("0001"), noLimit, gitsink.ErrProtocol, "of no band"},
		"an empty line":          {strings.NewReader("0004"), noLimit, gitsink.ErrProtocol, "of no band"},
		"another band":           {strings.NewReader(pkt("\x04x") + "0000"), noLimit, gitsink.ErrProtocol, "the band 4"},
		"no band":                {strings.NewReader(pkt("\x00x") + "0000"), noLimit, gitsink.ErrProtocol, "the band 0"},
		"too much talk":          {strings.NewReader(progress + pkt("\x02w") + "0000"), noLimit, gitsink.ErrTooLarge, "talks for more than 4194304 bytes"},
		"too much of it all":     {strings.NewReader(pkt("\x01hello") + "0000"), 13, gitsink.ErrTooLarge, "what the server sends is longer than 13 bytes"},
	} {
		d := demultiplex(listOf(capability.Sideband64k), c.from, io.Discard, c.limit)
		_, err := io.ReadAll(d)
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
		n, again := d.Read(make([]byte, 1))
		require.Equal(t, err, again, name)
		require.Zero(t, n, name)
	}
	d := demultiplex(listOf(capability.Sideband64k), strings.NewReader(progress+"0000"), io.Discard, noLimit)
	_, err := io.ReadAll(d)
	require.NoError(t, err, "as much talk as may be")

	d = demultiplex(listOf(capability.Sideband64k), strings.NewReader(pkt("\x02w")+"0000"), failingWriter{}, noLimit)
	_, err = io.ReadAll(d)
	require.ErrorIs(t, err, errCut)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errCut }

func TestABandForErrorsIsTheServersLastWord(t *testing.T) {
	for said, want := range map[string]string{"no": "no", strings.Repeat("e", maxWords+1): strings.Repeat("e", maxWords)} {
		from := io.MultiReader(strings.NewReader(pkt("\x02"+strings.Repeat("p", 2*maxWords))+pkt("\x03"+said)), iotest.ErrReader(errCut))
		_, err := io.ReadAll(demultiplex(listOf(capability.Sideband64k), from, io.Discard, noLimit))
		require.ErrorIs(t, err, ErrRefused)
		require.Equal(t, want, Words(err))
	}
}
