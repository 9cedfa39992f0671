package gitsinktest

import (
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// hostileStreams speak git's own protocol, where an answer is no message but a connection.
func hostileStreams() []Hostile {
	saying := func(name, promise string, want, not error, converse func(c *conversation)) Hostile {
		return streamed(Hostile{Name: name + ", by git's own protocol", Promise: promise, BaseFolder: base, Want: want, Not: not}, converse)
	}
	return []Hostile{
		saying("an advertisement with 16,000 capabilities", promiseOfAnswers, gitsink.ErrTooLarge, gitsink.ErrUnavailable, func(c *conversation) {
			c.write(firstLine(c.service, tipOf(c.repo), strings.Repeat(" a=b", 16_000)))
		}),
		saying("a packet of no length", promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable, func(c *conversation) { c.write("0003") }),
		saying("a refusal of 54 kB of escapes", promiseOfWords, gitsink.ErrRefused, gitsink.ErrUnavailable, func(c *conversation) {
			c.write(pkt("ERR " + tooManyWords))
		}),
		saying("a connection that is closed at once", promiseOfNoAnswer, gitsink.ErrUnavailable, nil, func(*conversation) {}),
		saying("an advertisement that ends before it begins, to who fetches", promiseOfNoAnswer, gitsink.ErrUnavailable, nil, func(c *conversation) {
			if c.service == gitservertest.ReceivePack {
				c.serve()
			}
		}),
		saying("a fetch of shallow commits without an end", promiseOfAnswers, gitsink.ErrTooLarge, gitsink.ErrUnavailable, func(c *conversation) {
			c.write(c.first() + flushPkt)
			if c.service == gitservertest.UploadPack && c.asked() {
				endless(c, func(int) string { return pkt("shallow " + noObject) })
			}
		}),
		saying("a report without an end", promiseOfReports, gitsink.ErrUnknown, gitsink.ErrUnavailable, func(c *conversation) {
			if c.service == gitservertest.UploadPack {
				c.serve()
				return
			}
			c.write(c.first() + flushPkt)
			if c.asked() {
				c.write(pkt("\x01" + pkt(unpackOK+"\n")))
				endless(c, func(int) string { return pkt("\x01" + strings.Repeat(pkt("ok refs/heads/other\n"), 1000)) })
			}
		}),
		connected(Hostile{
			Name: "a server that accepts and never answers, by git's own protocol", Promise: promiseOfTime, Protocol: "git", BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, "git", (*connection).silence),
		connected(Hostile{
			Name: "an advertisement of a byte each 100 ms, by git's own protocol", Promise: promiseOfTime, Protocol: "git", BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, "git", func(c *connection) { c.drip(firstLine(gitservertest.ReceivePack, tipOf(c.repo), "") + flushPkt) }),
	}
}

// hostileSSH speak SSH, or nearly.
func hostileSSH() []Hostile {
	raw := func(c Hostile, converse func(*connection)) Hostile {
		c.Protocol, c.BaseFolder = "ssh", base
		return connected(c, "ssh", converse)
	}
	return []Hostile{
		raw(Hostile{
			Name: "a server of SSH that never answers", Promise: promiseOfTime, Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, (*connection).silence),
		raw(Hostile{
			Name: "a server of SSH that speaks no SSH", Promise: promiseOfProtocol, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable,
		}, func(c *connection) { c.write("SSH-2.0-x\r\n" + strings.Repeat("\xff\x1b[2J", 10_000)) }),
		raw(Hostile{
			Name: "a server of SSH that greets in one line without an end", Promise: promiseOfProtocol,
			Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable,
		}, func(c *connection) { endless(c, func(int) string { return "SSH-2.0-" }) }),
		raw(Hostile{
			Name: "a server of SSH that greets a line at a time without an end", Promise: promiseOfProtocol,
			Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable,
		}, func(c *connection) { endless(c, func(int) string { return "hello\r\n" }) }),
		overSSH(Hostile{
			Name: "a fetch of shallow commits without an end, by SSH", Promise: promiseOfAnswers, BaseFolder: base,
			Want: gitsink.ErrTooLarge, Not: gitsink.ErrUnavailable,
		}, func(c *conversation) uint32 {
			c.write(c.first() + flushPkt)
			if c.service == gitservertest.UploadPack && c.asked() {
				endless(c, func(int) string { return pkt("shallow " + noObject) })
			}
			return 0
		}),
		overSSH(Hostile{
			Name: "words without an end beside the protocol", Promise: promiseOfTime, BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, func(c *conversation) uint32 {
			endless(c.words, func(int) string { return tooManyWords })
			_, _ = io.Copy(io.Discard, c)
			return 1
		}),
		overSSH(Hostile{
			Name: "a refusal of 54 kB of escapes, by SSH", Promise: promiseOfWords, BaseFolder: base,
			Want: gitsink.ErrRefused, Not: gitsink.ErrUnavailable,
		}, func(c *conversation) uint32 {
			_, _ = io.WriteString(c.words, tooManyWords)
			return 1
		}),
		overSSH(Hostile{
			Name: "an exit without a word", Promise: promiseOfRefusal, BaseFolder: base, Want: gitsink.ErrRefused, Not: gitsink.ErrUnavailable,
		}, func(*conversation) uint32 { return 128 }),
		commanded(Hostile{
			Name: "a server of SSH that is gone when it hears a command", Promise: promiseOfNoAnswer, BaseFolder: base,
			Want: gitsink.ErrUnavailable, Not: gitsink.ErrRefused,
		}, func(conn ssh.Conn, _ *ssh.Request) { _ = conn.Close() }),
		commanded(Hostile{
			Name: "a server of SSH that runs no command", Promise: promiseOfRefusal, BaseFolder: base,
			Want: gitsink.ErrRefused, Not: gitsink.ErrUnavailable,
		}, func(_ ssh.Conn, request *ssh.Request) { _ = request.Reply(false, nil) }),
	}
}
