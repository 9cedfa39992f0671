package source

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/internal/spans/spanstest"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestTheOriginOfAnEventIsTheNewestListingOrWatchThatHadBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := &spanstest.Recorder{}
		w := New(FromDynamic(newGatedAPI()), nil, newLines(-1), &Options{TracerProvider: recorder})
		of := ruleset.Type{Version: "v1", Resource: "configmaps", Kind: "ConfigMap", Namespaced: true}
		begin := func(namespace string, listed bool) string {
			_, span := w.tracer.Root(t.Context(), "of the test")
			w.origins.note(of, namespace, span, listed)
			span.End("ok", false)
			time.Sleep(time.Second)
			return span.Context().SpanID().String()
		}
		origin := func(at time.Time, resource string, listed bool) string {
			e := event.Event{Operation: event.Update, Time: at, Listed: listed}
			e.Resource.Resource, e.Resource.Namespace = resource, "team"
			return w.Origin(e).SpanID().String()
		}
		const none = "0000000000000000"
		before := time.Now().Add(-time.Second)
		listing := begin("", true)
		first := begin("", false)
		between := time.Now()
		time.Sleep(time.Second)
		require.NotEqual(t, first, begin("other", false), "of another namespace")
		second := begin("team", false)

		now := time.Now()
		require.Equal(t, listing, origin(now, "configmaps", true))
		require.Equal(t, second, origin(now, "configmaps", false))
		require.Equal(t, first, origin(between, "configmaps", false))
		require.Equal(t, none, origin(before, "configmaps", true), "nothing had begun")
		require.Equal(t, none, origin(now, "services", false))
		require.False(t, w.Origin(event.Event{Operation: event.SeedSync, Time: now}).IsValid())
		for range maxOrigins {
			begin("", false)
		}
		require.Equal(t, none, origin(between, "configmaps", false), "it is forgotten")
		require.Len(t, w.origins.of[feedKey{groupResource(of), ""}], maxOrigins)
	})
}

func TestWhereNobodyTracesNothingIsRemembered(t *testing.T) {
	w := New(FromDynamic(newGatedAPI()), nil, newLines(-1), nil)
	w.origins.note(ruleset.Type{Resource: "configmaps"}, "", spans.Span{}, true)
	require.Nil(t, w.origins)
	require.False(t, w.Origin(event.Event{Operation: event.Update, Time: time.Now()}).IsValid())
}
