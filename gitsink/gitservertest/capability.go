package gitservertest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
)

// plain answers as a server that can do less than Git, if [ServerOptions] HideCapabilities or
// RequireMultiAck say so. It reports whether it has answered.
func (s *Server) plain(w http.ResponseWriter, r *http.Request, req Request) bool {
	switch {
	case req.Phase == Advertisement && len(s.opts.HideCapabilities) > 0:
		reply := httptest.NewRecorder()
		s.backend(reply, r)
		for name, values := range reply.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(reply.Code)
		_, _ = w.Write(withoutCapabilities(reply.Body.Bytes(), s.opts.HideCapabilities))
		return true
	case req.Service == UploadPack && req.Phase == RPC && s.opts.RequireMultiAck:
		body, err := req.Body()
		wants, _, _ := bytes.Cut(body, []byte("\n"))
		if err != nil || !slices.ContainsFunc(strings.Fields(string(wants)), isMultiAck) {
			refuse(w, http.StatusBadRequest, "The request has no multi_ack.\n")
			return true
		}
	}
	return false
}

func isMultiAck(word string) bool { return word == "multi_ack" || word == "multi_ack_detailed" }

// withoutCapabilities rewrites an advertisement (gitprotocol-pack(5)). The capabilities follow the
// NUL of the first line that has one. A name stands for the capability with any value, as in
// symref=HEAD:refs/heads/main.
func withoutCapabilities(advertisement []byte, hidden []string) []byte {
	end := bytes.IndexByte(advertisement, 0)
	if end < 0 {
		return advertisement
	}
	// Lines before it, such as "# service=git-upload-pack", hold no NUL, so the line begins where a
	// length leads past it.
	begin := 0
	for {
		length, err := strconv.ParseUint(string(advertisement[begin:begin+4]), 16, 16)
		if err != nil {
			return advertisement
		}
		next := begin + max(int(length), 4)
		if next > end {
			line := advertisement[begin+4 : next]
			name, capabilities, _ := strings.Cut(string(line), "\x00")
			kept := slices.DeleteFunc(strings.Fields(capabilities), func(c string) bool {
				word, _, _ := strings.Cut(c, "=")
				return slices.Contains(hidden, word)
			})
			text := name + "\x00" + strings.Join(kept, " ") + "\n"
			return slices.Concat(advertisement[:begin], fmt.Appendf(nil, "%04x%s", len(text)+4, text), advertisement[next:])
		}
		begin = next
	}
}
