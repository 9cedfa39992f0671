package kubescribe

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	s := serve(t, allowed, "prod")
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch, "PROPFIND"} {
		answer, _ := s.ask(t, method, "", nil)
		require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
		require.Equal(t, "GET, HEAD, POST", answer.Header.Get("Allow"))
	}
}

func TestHEADOfTheStatusPageHasTheHeadersOfGETAndNoBody(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, "prod")
	for _, query := range []string{"", "?format=json"} {
		head, body := s.ask(t, http.MethodHead, query, nil)
		require.Equal(t, http.StatusOK, head.StatusCode)
		require.Empty(t, body)
		require.Positive(t, head.ContentLength)
		get, _ := s.ask(t, http.MethodGet, query, nil)
		require.Equal(t, get.Header.Get("Content-Type"), head.Header.Get("Content-Type"))
	}
}

func TestEachAnswerHasHeadersThatKeepABrowserFromMisuse(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, "prod")
	for _, c := range []struct{ method, query, contentType string }{
		{http.MethodGet, "", "text/html; charset=utf-8"}, {http.MethodGet, "?format=json", "application/json"},
		{http.MethodPost, "", "text/html; charset=utf-8"}, {http.MethodPut, "?format=json", "application/json"},
	} {
		answer, _ := s.ask(t, c.method, c.query, nil)
		for name, want := range map[string]string{
			"Content-Type": c.contentType, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"X-Frame-Options": "DENY", "Vary": "Accept", "Content-Security-Policy": contentSecurityPolicy(),
		} {
			require.Equal(t, want, answer.Header.Get(name), name)
		}
	}
	for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		require.Contains(t, strings.Split(contentSecurityPolicy(), "; "), directive)
	}
	require.NotContains(t, contentSecurityPolicy(), "unsafe")
}

func TestThePolicyAllowsWhatStandsInTheStatusPageAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, allowed, "prod")
	s.know(t, "prod", heldFiles("a.yaml"))
	_, page := s.ask(t, http.MethodGet, "?q=prod", nil)
	for _, element := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(page, -1)
		require.Len(t, found, 1)
		sum := sha256.Sum256([]byte(found[0][1]))
		require.Contains(t, contentSecurityPolicy(), element+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	require.NotRegexp(t, `\s(?:style|on\w+)=`, page, "the policy forbids it")
	require.NotRegexp(t, `(?:src|href|action)="(?:/|\w+:[^i])`, page, "links are relative: the page may be anywhere")
	require.NotContains(t, pageCSS, "url(")
	require.NotContains(t, pageCSS, "@import")
}
