//go:build unix

package kubescribe

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// browse lets headless Chromium load a page, and returns the document that its scripts leave and
// what it logs, the errors of the page's policy included. Without Chromium the test is skipped, but
// not in CI.
func browse(t *testing.T, url string) (dom, logged string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("chromium is missing")
	}
	require.NoError(t, err)
	profile, err := os.MkdirTemp("", "kubescribe-chromium-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-breakpad", "--no-first-run", "--disable-background-networking", "--user-data-dir="+filepath.Join(profile, "data"),
		"--enable-logging=stderr", "--v=0", "--window-size=1280,900", "--virtual-time-budget=5000", "--dump-dom", url)
	cmd.Env = append(os.Environ(), "HOME="+profile)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &log, 5*time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts others, which end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	defer func() {
		if cmd.Process != nil {
			_ = cmd.Cancel() // most often they have ended by themselves
		}
	}()
	// A child that lives on may keep the log open.
	if err := cmd.Run(); !errors.Is(err, exec.ErrWaitDelay) {
		require.NoError(t, err, "%s", &log)
	}
	return out.String(), log.String()
}

// requireNoFault ends the test if the policy kept something from the page, or a script failed.
func requireNoFault(t *testing.T, logged string) {
	t.Helper()
	for line := range strings.Lines(logged) {
		require.NotContains(t, line, "CONSOLE", "the console is empty")
		require.NotContains(t, line, "Content Security Policy")
	}
}

// faulty is a Mirror of some destinations, one of which has files that are held.
func faulty(t *testing.T) *Mirror {
	t.Helper()
	s := serve(t, nil, "alpha", "beta", "gamma", "a-destination-with-a-name-that-is-longer-than-any-phone-is-wide")
	long := strings.Repeat("a-component-of-a-path-without-any-blank", 5)
	s.know(t, "beta", heldFiles("a/configmaps/"+long+".yaml", "b.yaml"))
	s.know(t, "gamma", gitsink.Status{Err: &gitsink.Error{Op: "push", Err: gitsink.ErrAuth, Server: strings.Repeat("x", 999)}})
	return s.Mirror
}

func TestABrowserShowsTheStatusPageWithinItsPolicy(t *testing.T) {
	testsize.Sampled(t)
	server := httptest.NewServer(http.StripPrefix("/at/status", StatusHandler(faulty(t), allowed)))
	defer server.Close()
	dom, logged := browse(t, server.URL+"/at/status/")
	require.ElementsMatch(t, names(dom), []string{"a-destination-with-a-name-that-is-longer-than-any-phone-is-wide", "alpha", "beta", "gamma"})
	require.Contains(t, dom, `class="filter live"`, "the script ran")
	requireNoFault(t, logged)
}

// probe loads the page into a frame as wide as a phone, acts as its reader would, and shows what
// comes of it.
const probe = `<!doctype html><title>probe</title><iframe id="phone" src="/status/" width="390" height="844"></iframe><output id="found"></output>
<script>
var phone = document.getElementById("phone");
phone.onload = function () {
	var page = phone.contentDocument, input = page.querySelector("[name=q]"), said = [];
	page.querySelectorAll("details").forEach(function (d) { d.open = true; });
	page.querySelectorAll("header, main, main *").forEach(function (e) {
		if (e.tagName === "INPUT" || e.tagName === "SELECT" || e.tagName === "OPTION") return;
		if (e.clientWidth && e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > page.documentElement.clientWidth + 1)
			said.push("too wide: " + e.tagName + " " + e.className);
	});
	said.push("badge " + phone.contentWindow.getComputedStyle(page.querySelector(".badge")).borderTopLeftRadius);
	input.value = "gam";
	input.dispatchEvent(new Event("input", { bubbles: true }));
	setTimeout(function () {
		said.push("shown " + page.querySelectorAll("details").length, page.querySelector("details strong").textContent);
		said.push(page.getElementById("count").textContent, phone.contentWindow.location.search);
		document.getElementById("found").textContent = said.join(" | ");
	}, 2000);
};
</script>`

func TestABrowserFiltersTheStatusPageAsIsTypedOnAPhone(t *testing.T) {
	testsize.Sampled(t)
	page := StatusHandler(faulty(t), allowed)
	mux := http.NewServeMux()
	mux.HandleFunc("/probe", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(probe)) })
	mux.HandleFunc("/status/", func(w http.ResponseWriter, r *http.Request) {
		page.ServeHTTP(framed{w}, r)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	dom, logged := browse(t, server.URL+"/probe")
	found := regexp.MustCompile(`<output id="found">(.*?)</output>`).FindStringSubmatch(dom)
	require.NotNil(t, found, dom)
	require.Equal(t, "badge 999px | shown 1 | default/gamma | 1 of 4 destinations. Show all | ?q=gam", found[1])
	requireNoFault(t, logged)
}

// framed lets a page be in a frame of its own origin, as the probe needs it.
type framed struct{ http.ResponseWriter }

func (f framed) WriteHeader(code int) {
	f.Header().Del("X-Frame-Options")
	policy := f.Header().Get("Content-Security-Policy")
	f.Header().Set("Content-Security-Policy", strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors 'self'", 1))
	f.ResponseWriter.WriteHeader(code)
}
