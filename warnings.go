package kubescribe

import (
	"context"
	"sync"

	"github.com/go-logr/logr"

	"github.com/kubescribe/kubescribe/internal/quote"
)

// maxWarnings bounds what is remembered of an API server's warnings.
const maxWarnings = 100

// warnings logs each warning of the API server once. A wildcard rule lists and watches deprecated
// types for ever, and client-go logs their warnings with every answer.
type warnings struct {
	log logr.Logger

	mu   sync.Mutex
	said map[string]struct{}
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _ string, text string) {
	// RFC 7234, 5.5: 299 is what the origin server warns of, the others are about caches.
	if code != 299 || text == "" {
		return
	}
	text = quote.Words(text)
	w.mu.Lock()
	_, said := w.said[text]
	news := !said && len(w.said) < maxWarnings
	if news {
		w.said[text] = struct{}{}
	}
	w.mu.Unlock()
	if news {
		w.log.Info("the API server warns", "words", text)
	}
}
