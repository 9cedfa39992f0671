package gitsinktest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/queue"
)

// everywhere is a ploy for all requests, whatever is asked.
func everywhere(answer func(s *hostileServer, w http.ResponseWriter, r *http.Request)) ploy {
	return func(s *hostileServer, t *turn) bool {
		answer(s, t.w, t.r)
		return true
	}
}

const page = "<html><title>\x1b[2JSign in</title>"

// webPages are for people, in place of Git's protocol.
func webPages() []Hostile {
	pages := func(status int, size int) ploy {
		return everywhere(func(_ *hostileServer, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			block := strings.Repeat(page, 1+min(size, 64<<10)/len(page))
			for sent := 0; sent < size; sent += len(block) {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		})
	}
	return []Hostile{
		served(Hostile{Name: "a web page", Promise: promiseOfProtocol, BaseFolder: base, Want: gitsink.ErrNotFound}, pages(http.StatusOK, 1)),
		served(Hostile{Name: "a web page of 64 MB", Promise: promiseOfProtocol, BaseFolder: base, Want: gitsink.ErrNotFound}, pages(http.StatusOK, 64<<20)),
		served(Hostile{Name: "an error with a page of 64 MB", Promise: promiseOfNoAnswer, BaseFolder: base, Want: gitsink.ErrUnavailable},
			pages(http.StatusInternalServerError, 64<<20)),
		served(Hostile{Name: "a web page that claims to be Git", Promise: promiseOfProtocol, BaseFolder: base, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable},
			at("", gitservertest.Advertisement, func(t *turn) { t.write(strings.Repeat(page, 10_000)) })),
		served(Hostile{Name: "a teapot that says 54 kB of escapes", Promise: promiseOfWords, BaseFolder: base, Want: gitsink.ErrRefused, Not: gitsink.ErrUnavailable},
			everywhere(func(_ *hostileServer, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTeapot)
				_, _ = io.WriteString(w, tooManyWords)
			})),
		served(Hostile{Name: "a media type of 50 kB", Promise: promiseOfWords, BaseFolder: base, Want: gitsink.ErrNotFound},
			everywhere(func(_ *hostileServer, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", strings.Repeat("x", 50_000))
			})),
	}
}

// redirects lead in circles, or where no credentials may go.
func redirects() []Hostile {
	moved := func(name string, status int, phase gitservertest.Phase, to func(s *hostileServer, r *http.Request) string) Hostile {
		return served(Hostile{
			Name: name, Promise: promiseOfMoves, BaseFolder: base, Want: gitsink.ErrNotFound, Not: gitsink.ErrUnavailable,
		}, func(s *hostileServer, t *turn) bool {
			if _, password, _ := t.r.BasicAuth(); password != HostileLogin().Password {
				t.w.Header().Set("WWW-Authenticate", `Basic realm="gitsinktest"`)
				http.Error(t.w, "the kit must know the credentials again", http.StatusUnauthorized)
				return true
			}
			if phase != "" && t.phase != phase {
				return false
			}
			t.w.Header().Set("Location", to(s, t.r))
			t.w.WriteHeader(status)
			return true
		})
	}
	same := func(_ *hostileServer, r *http.Request) string { return r.URL.RequestURI() }
	elsewhere := func(s *hostileServer, r *http.Request) string { return s.elsewhere.URL + r.URL.RequestURI() }
	onAndOn := 0
	return []Hostile{
		moved("a redirect in a circle", http.StatusFound, "", same),
		moved("a redirect to ever new places", http.StatusTemporaryRedirect, "", func(_ *hostileServer, r *http.Request) string {
			onAndOn++
			return fmt.Sprintf("/%d%s", onAndOn, r.URL.RequestURI())
		}),
		moved("a redirect to another server", http.StatusMovedPermanently, "", elsewhere),
		moved("a redirect to a server of another name", http.StatusPermanentRedirect, "", func(s *hostileServer, r *http.Request) string {
			return strings.Replace(s.elsewhere.URL, "127.0.0.1", "localhost", 1) + r.URL.RequestURI()
		}),
		moved("a redirect to a page for people", http.StatusFound, "", func(s *hostileServer, _ *http.Request) string { return s.elsewhere.URL + "/login" }),
		moved("a redirect to a file", http.StatusFound, "", func(*hostileServer, *http.Request) string { return "file:///etc/info/refs" }),
		moved("a redirect to another protocol", http.StatusFound, "", func(*hostileServer, *http.Request) string { return "gopher://127.0.0.1:70/info/refs" }),
		moved("a redirect that shows a password", http.StatusFound, "", func(s *hostileServer, r *http.Request) string {
			return strings.Replace(s.elsewhere.URL, "://", "://"+HostileLogin().Username+":"+HostileLogin().Password+"@", 1) + r.URL.RequestURI()
		}),
		moved("a redirect to a place with a name of 200 kB", http.StatusFound, "", func(s *hostileServer, _ *http.Request) string {
			return s.elsewhere.URL + "/" + strings.Repeat("%1b%5b2J", 25_000) + "/info/refs"
		}),
		moved("a redirect of a push", http.StatusTemporaryRedirect, gitservertest.RPC, elsewhere),
		moved("a redirect of a push in a circle", http.StatusPermanentRedirect, gitservertest.RPC, same),
	}
}

// falseHTTP are answers of HTTP that mean harm by their status and headers.
func falseHTTP() []Hostile {
	realm := 0
	resting := func(name, header, value string) Hostile {
		return served(Hostile{
			Name: name, Promise: promiseOfRest, BaseFolder: base, Want: gitsink.ErrUnavailable, Not: queue.ErrPermanent,
		}, everywhere(func(_ *hostileServer, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			if header != "Retry-After" {
				w.Header().Set("X-RateLimit-Remaining", "0")
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
	}
	return []Hostile{
		served(Hostile{
			Name: "ever new realms", Promise: promiseOfAnswers, BaseFolder: base, Want: gitsink.ErrAuth, Not: gitsink.ErrUnavailable,
		}, everywhere(func(_ *hostileServer, w http.ResponseWriter, _ *http.Request) {
			realm++
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=\"%d\"", realm))
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, tooManyWords)
		})),
		resting("a wish to be left alone for a century", "Retry-After", "3153600000"),
		resting("a wish to be left alone until the year 9999", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"),
		resting("a wish to be left alone for a number without an end", "Retry-After", strings.Repeat("9", 100_000)),
		resting("a wish to be left alone for less than nothing", "Retry-After", "-1"),
		resting("a wish to be left alone that nobody understands", "Retry-After", "\u202eafter lunch"),
		resting("a limit that is renewed at the end of time", "X-RateLimit-Reset", "9223372036854775807"),
		served(Hostile{
			Name: "an answer that claims to be compressed", Promise: promiseOfProtocol, BaseFolder: base, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable,
		}, at("", gitservertest.Advertisement, func(t *turn) {
			t.w.Header().Set("Content-Encoding", "gzip")
			t.write(t.greeting() + t.first("") + flushPkt)
		})),
		served(Hostile{
			Name: "an answer that is compressed and damaged", Promise: promiseOfProtocol, BaseFolder: base, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable,
		}, at("", gitservertest.Advertisement, func(t *turn) {
			t.w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(t.w)
			_, _ = io.WriteString(zip, t.greeting()+t.first(""))
			_ = zip.Flush()
			t.write(strings.Repeat("\xff", 1000))
		})),
		served(Hostile{
			Name: "an answer that is shorter than it says", Promise: promiseOfNoAnswer, BaseFolder: base, Want: gitsink.ErrUnavailable,
		}, at("", gitservertest.Advertisement, func(t *turn) {
			t.w.Header().Set("Content-Length", "1000000")
			t.write(t.greeting() + t.first(""))
		})),
		served(Hostile{
			Name: "an advertisement of a byte each 100 ms", Promise: promiseOfTime, BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, at("", gitservertest.Advertisement, func(t *turn) { t.drip(t.greeting() + t.first("") + flushPkt) })),
		served(Hostile{
			Name: "an answer that begins and never goes on", Promise: promiseOfTime, BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, at("", gitservertest.Advertisement, func(t *turn) {
			t.write(t.greeting())
			t.silence()
		})),
	}
}

// brokenConnections are answers that are hardly HTTP, or no TLS.
func brokenConnections() []Hostile {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-advertisement\r\n"
	saying := func(name, promise string, want, not error, text string) Hostile {
		return connected(Hostile{Name: name, Promise: promise, BaseFolder: base, Want: want, Not: not}, "http", func(c *connection) {
			c.readHead()
			c.write(text)
		})
	}
	repeating := func(name string, begin, text string) Hostile {
		return connected(Hostile{
			Name: name, Promise: promiseOfAnswers, BaseFolder: base, Want: gitsink.ErrTooLarge, Not: gitsink.ErrUnavailable,
		}, "http", func(c *connection) {
			c.readHead()
			c.write(begin)
			endless(c, func(int) string { return text })
		})
	}
	return []Hostile{
		repeating("headers without an end", ok, "X-Again: and again\r\n"),
		repeating("a header without an end", ok+"X-Long: ", strings.Repeat("x", 1000)),
		repeating("a status line without an end", "HTTP/1.1 200 ", strings.Repeat("x", 1000)),
		repeating("hints without an end", "", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"),
		saying("two lengths of one answer", promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable, ok+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
		saying("a length that is no number", promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable, ok+"Content-Length: -1\r\n\r\nxx"),
		saying("an answer of no HTTP", promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable, "SSH-2.0-OpenSSH_9.2\r\n\x1b[2J\r\n\r\n"),
		saying("headers of no HTTP", promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable, ok+"\x1b[2J\r\n\r\n"),
		saying("chunks of no HTTP", promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable, ok+"Transfer-Encoding: chunked\r\n\r\nzz\r\n0000\r\n"),
		saying("a chunk that is larger than any machine", promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable,
			ok+"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n0000\r\n"),
		saying("a chunk that ends in the middle", promiseOfNoAnswer, gitsink.ErrUnavailable, nil, ok+"Transfer-Encoding: chunked\r\n\r\nff\r\n0000"),
		saying("a connection that is closed at once", promiseOfNoAnswer, gitsink.ErrUnavailable, nil, ""),
		connected(Hostile{
			Name: "a server that accepts and never answers", Promise: promiseOfTime, BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, "http", (*connection).silence),
		connected(Hostile{
			Name: "a server of TLS that never answers", Promise: promiseOfTime, Protocol: "https", BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, "https", (*connection).silence),
		connected(Hostile{
			Name: "a server of TLS that speaks no TLS", Promise: promiseOfNoAnswer, Protocol: "https", BaseFolder: base,
			Want: gitsink.ErrNotFound, Not: gitsink.ErrUnavailable,
		}, "https", func(c *connection) { c.write(strings.Repeat("\x1b[2J", 10_000)) }),
		connected(Hostile{
			Name: "a handshake of TLS that is none", Promise: promiseOfProtocol, Protocol: "https", BaseFolder: base,
			Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable,
		}, "https", func(c *connection) { c.write("\x16\x03\x03\x00\x08\x02\x00\x00\x04\xff\xff\xff\xff") }),
		connected(Hostile{
			Name: "a handshake of TLS of a byte each 100 ms", Promise: promiseOfTime, Protocol: "https", BaseFolder: base,
			Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, "https", func(c *connection) {
			c.drip("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + strings.Repeat("x", 100))
		}),
	}
}
