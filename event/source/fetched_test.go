package source

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// A backfill asks for an object; before the answer comes, the reflector delivers a newer version,
// which finds room. The answer must not be sent behind it.
func TestAnAnswerThatIsOlderThanWhatTheReflectorSaidIsDropped(t *testing.T) {
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	a := objectKey{d.ledger.typeOf(s.of), types.NamespacedName{Namespace: "default", Name: "a"}}
	old, newer := configMap("default", "a", "old"), configMap("default", "a", "new")

	d.object(t.Context(), s, old, added) // no room: it waits
	require.Equal(t, 1, to.backlog.count)
	asked := d.now() // the backfill asks now
	d.object(t.Context(), s, newer, modified)
	require.Equal(t, 1, to.backlog.count, "still no room")
	out.room = -1
	require.True(t, d.offer(t.Context(), to, s, old, asked), "the old answer")
	require.Empty(t, out.waiting, "is dropped")
	waits, _ := to.backlog.has(a)
	require.True(t, waits, "and asked for again")

	require.True(t, d.offer(t.Context(), to, s, newer, d.now()))
	require.Len(t, out.waiting, 1)
	require.Contains(t, string(out.waiting[0].Content.Bytes()), "new")
	require.Zero(t, to.backlog.count)

	// What is asked for while the object dies is not brought back.
	to.backlog.add(a, false)
	asked = d.now()
	d.deleted(t.Context(), s, newer, removed)
	require.True(t, d.offer(t.Context(), to, s, newer, asked))
	require.Len(t, out.waiting, 2)
	require.Equal(t, "DELETE configmaps/default/a for default/prod", out.waiting[1].String())
}

// noticed tells when somebody waits for room.
type noticed struct {
	*lines
	waits chan struct{}
}

func (n noticed) Room(ctx context.Context, d destination.Destination) error {
	n.waits <- struct{}{}
	return n.lines.Room(ctx, d)
}

// All pages of a listing show the moment of the first one. While a backfill waits for room for the
// second page, the reflector delivers a newer version of what is on it; what that page says must
// not be sent.
func TestALaterPageIsAsOldAsTheFirst(t *testing.T) {
	cluster := clustertest.New(nil)
	t.Logf("clustertest.Options{Seed: %d}", cluster.Seed())
	t.Cleanup(cluster.Close)
	client, err := NewClient(cluster.Config())
	require.NoError(t, err)
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	waits := make(chan struct{})
	d.out, d.client, d.opts.PageSize = noticed{out, waits}, client, 1
	for _, name := range []string{"a", "b"} {
		obj := configMap("default", name, "old")
		require.NoError(t, cluster.Apply(obj))
		d.object(t.Context(), s, obj, added) // no room: it waits
	}
	out.setRoom(1)
	done := make(chan error)
	go func() { done <- d.backfills(t.Context(), to, s) }()
	<-waits
	newer := configMap("default", "b", "new")
	require.NoError(t, cluster.Apply(newer))
	d.object(t.Context(), s, newer, modified)
	out.setRoom(-1)
	require.NoError(t, <-done)
	require.Len(t, out.waiting, 1, "only a is sent")
	require.Equal(t, 1, to.backlog.count, "b is asked for again")
	require.NoError(t, d.backfills(t.Context(), to, s))
	require.Len(t, out.waiting, 2)
	require.Contains(t, string(out.waiting[1].Content.Bytes()), "new")
	require.Zero(t, to.backlog.count)
}

// Rules change while discovery does not answer, so no reflector feeds the destination for a while.
// What has found no room until then has still to be sent.
func TestWhatWaitsForRoomOutlivesARuleChangeThatDiscoveryDoesNotAnswer(t *testing.T) {
	f := newFixture(t, 1, nil)
	for i := range 5 {
		f.apply(configMap("default", fmt.Sprintf("cm-%d", i), "1"))
	}
	r := rule("prod", "prod", "configmaps")
	f.setRules([]destination.Spec{spec("prod", "main")}, r)
	require.Eventually(t, func() bool { f.takeAll(); st, _ := f.watcher.Status(ref("prod")); return st.Waiting > 0 }, wait, tick, "they are different")
	require.Eventually(t, func() bool {
		st, _ := f.watcher.Status(ref("prod"))
		return st.Waiting == 4
	}, wait, tick, "one has found room")

	remove := f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "discover" {
			return &clustertest.Fault{Error: errors.New("out of order")}
		}
		return nil
	})
	r.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "skip", Operator: "DoesNotExist"}}}
	f.setRules([]destination.Spec{spec("prod", "main")}, r)
	require.Eventually(t, f.wrong, wait, tick)
	f.seeded("prod") // takes all that comes meanwhile
	remove()
	f.seeded("prod")
	require.Len(t, f.files, 5)
}

func TestADeleteWithoutRoomIsSentBeforeTheCreateThatARuleWithOnlyCreateWants(t *testing.T) {
	out := newLines(0)
	r := rule("prod", "prod", "configmaps")
	r.Resources[0].Operations = []event.Operation{event.Create, event.Delete}
	d, to, s := newRig(t, out, r)
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	out.room = 1
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()), "the first create is in its line")
	d.deleted(t.Context(), s, obj, removed)
	d.object(t.Context(), s, configMap("default", "a", "2"), added)
	require.Equal(t, 1, to.backlog.count, "no room for either")
	out.room = 2
	require.False(t, d.offer(t.Context(), to, s, configMap("default", "a", "2"), d.now()))
	out.room = 3
	require.True(t, d.offer(t.Context(), to, s, configMap("default", "a", "2"), d.now()))
	require.Zero(t, to.backlog.count)
	var got []event.Operation
	for _, e := range out.waiting {
		got = append(got, e.Operation)
	}
	require.Equal(t, []event.Operation{event.Update, event.Delete, event.Update}, got)
}

// Two destinations wait for the same object; what one has fetched the other gets as well, if it has
// room, and the content is shared.
func TestWhatOneTargetFetchesIsSentToAllThatWaitForIt(t *testing.T) {
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	both := compiledRules(t, []destination.Spec{spec("prod", "main"), spec("dev", "main")}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
	d.setRules(both.ruleSet)
	other := d.target(t, both, "dev")
	d.ledger.cover(s, map[*target]reach{to: {everywhere: false}, other: {everywhere: false}})

	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	require.Equal(t, []int{1, 1}, []int{to.backlog.count, other.backlog.count})
	out.setRoom(-1)
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
	require.Zero(t, to.backlog.count+other.backlog.count)
	require.Len(t, out.waiting, 2)
	require.Same(t, out.waiting[0].Content, out.waiting[1].Content)
}

// An object was delivered at the very moment from which on a namespace is listed again, and is not
// in that listing.
func TestWhatANewListingOfANamespaceDoesNotShowIsGone(t *testing.T) {
	out := newLines(-1)
	d, _, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("one", "old", "1"), added)
	d.object(t.Context(), s, configMap("two", "other", "1"), added)
	d.object(t.Context(), s, configMap("one", "newest", "1"), added)
	since := d.now()
	d.object(t.Context(), s, configMap("one", "found", "1"), added)
	d.listed(t.Context(), s, listing{"one", since})
	var deleted []string
	for _, e := range out.waiting {
		if e.Operation == event.Delete {
			deleted = append(deleted, e.Resource.ID.String())
		}
	}
	require.ElementsMatch(t, []string{"configmaps/one/old", "configmaps/one/newest"}, deleted)
}

func TestAReflectorThatIsRefusedSaysNothingOfWhatLives(t *testing.T) {
	out := newLines(-1)
	d, _, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.begin(s)
	d.completed(t.Context(), s)
	require.True(t, s.complete)
	d.failed(s, apierrors.NewServiceUnavailable("for a moment"))
	require.True(t, s.complete, "what is known is old, not wrong")
	d.failed(s, apierrors.NewForbidden(configMaps.GroupResource(), "", nil))
	require.False(t, s.complete, "nothing of it may be swept")
}

func TestAnObjectThatWasRefusedIsForgottenWhenItIsGone(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	d.ledger.refuse(to, objectKey{d.ledger.typeOf(s.of), types.NamespacedName{Namespace: "default", Name: "a"}}, errors.New("too large"))
	require.Equal(t, 1, to.refused.count())
	d.deleted(t.Context(), s, obj, removed)
	require.Zero(t, to.refused.count())
}
