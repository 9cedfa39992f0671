package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kubescribe/kubescribe"
)

// The bounds of what others may send.
const (
	maxHeaderBytes = 64 << 10
	headerTimeout  = 10 * time.Second
	answerTimeout  = 30 * time.Second
	idleTimeout    = 2 * time.Minute
)

// serve begins to listen, and returns the function that answers until its context ends.
func (p *program) serve() (func(context.Context), error) {
	listener, err := net.Listen("tcp", p.listen)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler: p.handler(), MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
	}
	p.log.Info("listening", "address", listener.Addr().String())
	return func(ctx context.Context) {
		defer context.AfterFunc(ctx, func() { _ = server.Close() })()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error(err, "nobody is answered any more", "address", p.listen)
		}
	}, nil
}

// handler answers /healthz, /readyz, /metrics and /status. It changes nothing, whoever asks.
func (p *program) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.Handle("GET /metrics", p.metrics.handler)
	mux.Handle("GET /status", kubescribe.StatusHandler(p.mirror, nil))
	mux.Handle("GET /{$}", http.RedirectHandler("/status", http.StatusSeeOther))
	return mux
}

// readyz says yes when every destination is ready, or when another process leads. Else it says
// which are not, and why.
func (p *program) readyz(w http.ResponseWriter, _ *http.Request) {
	if p.election != nil && !p.election.leads.Load() {
		fmt.Fprintln(w, "another process leads")
		return
	}
	var not []string
	for ref, st := range p.mirror.Status().Destinations {
		if ready, reason, message := st.Ready(); !ready {
			not = append(not, fmt.Sprintf("%s: %s: %s\n", ref, reason, message))
		}
	}
	if len(not) == 0 {
		fmt.Fprintln(w, "ok")
		return
	}
	slices.Sort(not)
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprint(w, strings.Join(not, ""))
}
