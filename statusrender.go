package kubescribe

import (
	"crypto/sha256"
	_ "embed" // for the page's files
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The files of the page. Style and script stand in it, and its policy allows these alone.
var (
	//go:embed statuspage/page.html
	pageHTML string
	//go:embed statuspage/page.css
	pageCSS string
	//go:embed statuspage/page.js
	pageJS string
)

// contentSecurityPolicy returns what a browser may do with an answer.
func contentSecurityPolicy() string {
	return strings.Join([]string{
		"default-src 'none'", "style-src " + sourceOf(pageCSS), "script-src " + sourceOf(pageJS), "img-src data:", "connect-src 'self'",
		"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
	}, "; ")
}

// sourceOf returns what a policy calls a text that stands in the page.
func sourceOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// newPageTemplate is called by StatusHandler alone: a variable would make every program that has a
// Mirror pay for html/template, page or not.
func newPageTemplate() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"style":  func() template.CSS { return template.CSS(pageCSS) },
		"script": func() template.JS { return template.JS(pageJS) },
		"ago":    ago,
		"bytes":  sizeOf,
		"count": func(n int, of string) string {
			return number(n) + " " + of + strings.Repeat("s", min(1, max(n-1, 1-n)))
		},
		"differs": differs,
		"number":  number,
		"short":   func(hash string) string { return hash[:min(len(hash), 8)] },
		"status":  http.StatusText,
		"percent": func(part, rest int) int { return part * 100 / max(1, part+rest) },
		"more":    func(count, shown int) int { return max(0, count-shown) },
		"span":    func(seconds int64) string { return span(time.Duration(seconds) * time.Second) },
		"at":      func(at, now time.Time) any { return struct{ At, Now time.Time }{at, now} },
		"args": func(p *statusPage, of any) any {
			return struct {
				Page *statusPage
				Of   any
			}{p, of}
		},
	}).Parse(pageHTML))
}

// statusPage is what the template is given.
type statusPage struct {
	Title   string
	Report  *statusReport
	Filter  statusFilter
	Actions bool   // whoever reads it may act
	Notice  string // what the last action was
	Problem string // in place of a Report: why there is none
	Code    int    // that of a Problem
}

// Filtered reports whether not all destinations are asked for.
func (p *statusPage) Filtered() bool { return p.Filter != statusFilter{} }

// Total is the number of all destinations.
func (r *statusReport) Total() int { return r.Ready + r.NotReady }

// Hidden is the number of destinations that match and are not shown.
func (r *statusReport) Hidden() int { return r.Matching - len(r.Destinations) }

// JSON is the link to the same as JSON.
func (p *statusPage) JSON() string {
	values := p.Filter.values()
	values.Set("format", "json")
	return "?" + values.Encode()
}

// Show is the link to the destinations of one state.
func (p *statusPage) Show(state string) string {
	return "?" + statusFilter{State: state}.values().Encode()
}

// ID is the destination as a form names it.
func (d destinationReport) ID() string { return d.Namespace + "/" + d.Name }

// Class is how the page shows the verdict: all is well, it is on its way, somebody has to act.
func (d destinationReport) Class() string {
	switch {
	case d.Ready:
		return "ok"
	case d.Reason == ReasonSeeding:
		return "busy"
	}
	return "bad"
}

// State is the verdict in words, since not everybody sees colours.
func (d destinationReport) State() string {
	return map[string]string{"ok": "Ready", "busy": "Not yet", "bad": "Not ready"}[d.Class()]
}

// Says reports whether the message says more than the reason.
func (d destinationReport) Says() bool { return d.Reason != ReasonInSync || d.Uncovered != nil }

// Pending is the number of changes that are not in Git yet.
func (l lineReport) Pending() int { return l.Waiting + l.InHand }

// ago says how long before now a time was, or how long after.
func ago(t, now time.Time) string {
	past := now.Sub(t)
	switch {
	case past < 0:
		return "in " + span(-past)
	case past < time.Second:
		return "just now"
	}
	return span(past) + " ago"
}

// span is a duration for people, in the largest unit of which there is one.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(1, int(d/time.Second)))
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// differs returns a text unless it says what was said already.
func differs(text, said string) string {
	if text == said {
		return ""
	}
	return text
}

// sizeOf is a number of bytes for people.
func sizeOf(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/(1<<10), 0
	for size >= 1<<10 && unit < len(units)-1 {
		size, unit = size/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}

// number has a narrow space between thousands.
func number(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}
