package source

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errRefused stands in for what the server says until a probe has asked for the first time.
var errRefused = errors.New("the API server refuses to list all namespaces")

// probe asks again and again whether the server allows a listing of all namespaces that it refused.
type probe struct {
	of     collection
	answer func(error) // nil: it is allowed
	pause  pause
}

// run asks until the server allows it or ctx ends.
func (p *probe) run(ctx context.Context) {
	for {
		_, err := p.of.list(ctx, metav1.ListOptions{Limit: 1}, drop)
		if ctx.Err() != nil {
			return
		}
		p.answer(err)
		if err == nil {
			return
		}
		p.pause.rest(ctx, err)
	}
}
