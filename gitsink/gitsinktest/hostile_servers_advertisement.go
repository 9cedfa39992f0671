package gitsinktest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

const (
	noObject     = "1111111111111111111111111111111111111111"
	otherLine    = noObject + " refs/heads/other\n"
	notReachable = "gitsinktest: the moon is full"
)

// endlessAdvertisements never end, or not before a machine would have fallen.
func endlessAdvertisements() []Hostile {
	long := strings.Repeat("x", 1000)
	without := func(name string, line func(i int) string) Hostile {
		return served(Hostile{
			Name: name, Promise: promiseOfAnswers, BaseFolder: base, Want: gitsink.ErrTooLarge, Not: gitsink.ErrUnavailable,
		}, at("", gitservertest.Advertisement, func(t *turn) {
			t.write(t.greeting() + t.first(""))
			endless(t.w, line)
		}))
	}
	return []Hostile{
		served(Hostile{
			Name: "an advertisement of 5 MB that inflates to 4 GB", Promise: promiseOfAnswers, BaseFolder: base,
			Want: gitsink.ErrTooLarge, Not: gitsink.ErrUnavailable,
		}, at("", gitservertest.Advertisement, inflating)),
		without("an advertisement of references without an end", func(i int) string {
			return pkt(fmt.Sprintf("%s refs/heads/%s%09d\n", noObject, long, i))
		}),
		without("an advertisement of what stands in the way of the branch", func(i int) string {
			return pkt(fmt.Sprintf("%s refs/heads/main/%s%09d\n", noObject, long, i))
		}),
		without("an advertisement of shallow commits without an end", func(int) string { return pkt("shallow " + noObject) }),
		served(Hostile{
			Name: "an advertisement with 16,000 capabilities", Promise: promiseOfAnswers, BaseFolder: base,
			Want: gitsink.ErrTooLarge, Not: gitsink.ErrUnavailable,
		}, says(func(t *turn) string { return t.first(strings.Repeat(" a=b", 16_000)) + flushPkt })),
		served(Hostile{
			Name: "an advertisement with a capability of 64 kB", Promise: promiseOfNil, BaseFolder: base,
		}, says(func(t *turn) string { return t.first(" session-id="+strings.Repeat("x", 64_000)) + flushPkt })),
		served(Hostile{
			Name: "an advertisement of 200,000 references with control characters", Promise: promiseOfNil, BaseFolder: base,
		}, at("", gitservertest.Advertisement, func(t *turn) {
			t.write(t.greeting() + t.first(""))
			var block bytes.Buffer
			for i := range 200_000 {
				block.WriteString(pkt(fmt.Sprintf("%s refs/heads/\x1b[2J\r\x07%06d\n", noObject, i)))
				if block.Len() > 64<<10 {
					_, _ = block.WriteTo(t.w)
				}
			}
			block.WriteString(flushPkt)
			_, _ = block.WriteTo(t.w)
		})),
	}
}

// inflating writes an advertisement of some kilobytes for each megabyte: members of gzip, of which
// all but the first are one.
func inflating(t *turn) {
	member := func(text string) []byte {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		_, _ = io.WriteString(zip, text)
		_ = zip.Close()
		return b.Bytes()
	}
	t.w.Header().Set("Content-Encoding", "gzip")
	t.write(string(member(t.greeting() + t.first(""))))
	megabyte := member(strings.Repeat(pkt(otherLine), 1<<20/len(pkt(otherLine))))
	for range 4 << 10 {
		if _, err := t.w.Write(megabyte); err != nil {
			return
		}
	}
}

// falseAdvertisements are not Git's, or not of a kind that anybody wants.
func falseAdvertisements() (all []Hostile) {
	for _, c := range []struct {
		name string
		says func(t *turn) string
	}{
		{"a packet of the length 0003", func(*turn) string { return "0003" }},
		{"a packet whose length is no number", func(*turn) string { return "zzzz" }},
		{"a packet whose length has a sign", func(*turn) string { return "-001" }},
		{"a packet that is longer than any may be", func(*turn) string { return "fff1" + strings.Repeat("x", 0xffff) }},
		{"a delimiter among references", func(t *turn) string { return t.first("") + "0001" + pkt(otherLine) + flushPkt }},
		{"the end of an answer among references", func(t *turn) string { return t.first("") + "0002" + flushPkt }},
		{"protocol version 2, which nobody asked for", func(*turn) string { return pkt("version 2\n") + pkt("ls-refs\n") + flushPkt }},
		{"no capabilities", func(*turn) string { return pkt(otherLine) + flushPkt }},
		{"a reference without a name", func(t *turn) string { return t.first("") + pkt(noObject+" \n") + flushPkt }},
		{"a reference to no object", func(t *turn) string { return t.first("") + pkt("HEAD refs/heads/other\n") + flushPkt }},
		{"capabilities twice", func(t *turn) string { return t.first("") + t.first("") + flushPkt }},
		{"a shallow commit that is none", func(t *turn) string { return t.first("") + pkt("shallow \x1b[2J") + flushPkt }},
		{"zeros", func(*turn) string { return strings.Repeat("\x00", 1<<20) }},
		{"empty packets", func(*turn) string { return strings.Repeat("0004", 1<<16) }},
	} {
		all = append(all, served(Hostile{
			Name: "an advertisement with " + c.name, Promise: promiseOfProtocol, BaseFolder: base, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable,
		}, says(c.says)))
	}
	all = append(all,
		served(Hostile{
			Name: "an advertisement of another object format", Promise: promiseOfKinds, BaseFolder: base,
			Want: gitsink.ErrUnsupported, Not: gitsink.ErrUnavailable, Says: []string{"sha3"},
		}, says(func(*turn) string {
			return pkt(strings.Repeat("0", 64)+" capabilities^{}\x00report-status object-format=sha3\n") + flushPkt
		})),
		served(Hostile{
			Name: "an advertisement of an object format that wipes the screen", Promise: promiseOfKinds, BaseFolder: base,
			Want: gitsink.ErrUnsupported, Not: gitsink.ErrUnavailable,
		}, says(func(*turn) string {
			return pkt(noObject+" refs/heads/main\x00object-format=\x1b[2J"+strings.Repeat("x", 50_000)) + flushPkt
		})),
		served(Hostile{
			Name: "an advertisement cut in the middle of a packet", Promise: promiseOfNoAnswer, BaseFolder: base, Want: gitsink.ErrUnavailable,
		}, says(func(t *turn) string { return t.first("") + "00ff" + noObject })),
	)
	return slices.Concat(all, emptyAdvertisements(), refusals())
}

// emptyAdvertisements show no reference to who fetches, of a repository that shows some to who
// pushes, and give nothing, as a replica that lags behind. Whoever believes them begins a history
// of his own beside the one that is there.
func emptyAdvertisements() (all []Hostile) {
	for name, says := range map[string]func(t *turn) string{
		"no reference": func(t *turn) string {
			return pkt(strings.Repeat("0", 40)+" capabilities^{}\x00"+capabilitiesOf(t.service)+"\n") + flushPkt
		},
		"nothing":                        func(*turn) string { return flushPkt },
		"an end in place of a beginning": func(*turn) string { return "" },
	} {
		all = append(all, served(Hostile{
			Name: "an advertisement of " + name + " to who fetches", Promise: promiseOfNoAnswer, BaseFolder: base, Want: gitsink.ErrUnavailable,
		}, either(
			at(gitservertest.UploadPack, gitservertest.Advertisement, func(t *turn) { t.write(t.greeting() + says(t)) }),
			at(gitservertest.UploadPack, gitservertest.RPC, func(t *turn) { t.write(pkt("ERR upload-pack: not our ref")) }),
		)))
	}
	return all
}

// tooManyWords would fill a screen, or rewrite a log.
var tooManyWords = strings.Repeat("\x1b]0;owned\x07\x1b[31m no\r\nlevel=info msg=\"all is well\"\u202e ", 1_100)[:54_000]

// refusals are words in place of an advertisement.
func refusals() []Hostile {
	refusing := func(name string, want error, text func(t *turn) string) Hostile {
		return served(Hostile{
			Name: name, Promise: promiseOfRefusal, BaseFolder: base, Want: want, Not: gitsink.ErrUnavailable,
		}, says(text))
	}
	shown := refusing("a refusal of 54 kB of escapes and line breaks", gitsink.ErrRefused, func(*turn) string { return pkt("ERR " + tooManyWords) })
	shown.Promise = promiseOfWords
	return []Hostile{
		shown,
		refusing("a refusal in words that nobody knows", gitsink.ErrRefused, func(*turn) string { return pkt("ERR " + notReachable) }),
		refusing("a refusal after references", gitsink.ErrRefused, func(t *turn) string { return t.first("") + pkt("ERR "+notReachable) }),
		refusing("a refusal that shows the credentials", gitsink.ErrRefused, func(t *turn) string {
			_, secret, _ := t.r.BasicAuth()
			return pkt("ERR " + notReachable + " " + secret + " " + t.r.Header.Get("Authorization") + " " + secret[:len(secret)/2] + "\x1b[1m" + secret[len(secret)/2:])
		}),
		served(Hostile{
			Name: "refusals without an end", Promise: promiseOfRefusal, BaseFolder: base, Want: gitsink.ErrRefused, Not: gitsink.ErrUnavailable,
		}, at("", gitservertest.Advertisement, func(t *turn) { endless(t.w, func(int) string { return pkt("ERR " + notReachable) }) })),
	}
}
