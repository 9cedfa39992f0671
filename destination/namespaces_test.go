package destination

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestANamespaceUsesTheRepositoriesOfOthersOnlyIfTheyAllowIt(t *testing.T) {
	for name, c := range map[string]struct {
		of      string   // who refers to victim/r
		allowed []string // by victim/r
		want    error
	}{
		"its own":                    {"victim", nil, nil},
		"another's, closed":          {"evil", nil, ErrNamespaceNotAllowed},
		"another's, open to others":  {"evil", []string{"friend", "evil-twin"}, ErrNamespaceNotAllowed},
		"another's, open by name":    {"evil", []string{"friend", "evil"}, nil},
		"another's, open to all":     {"evil", []string{"*"}, nil},
		"the administrator's, of it": {"", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			repository := Repository{Ref: ref("victim/r"), URL: "https://host/secret-path", AllowedNamespaces: c.allowed}
			s := spec(c.of+"/d", "victim/r", "main", "")
			set, err := Resolve([]Repository{repository}, []Spec{s})
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
			require.Zero(t, set.Len())
			require.NotContains(t, set.Err(s.Ref).Error(), "secret-path")
			absent, _ := Resolve(nil, []Spec{s})
			require.Equal(t, absent.Err(s.Ref).Error(), set.Err(s.Ref).Error(), "whether it is there is told to nobody who may not use it")
		})
	}
	set, err := Resolve([]Repository{{Ref: ref("/r"), URL: "https://host/r"}}, []Spec{spec("evil/d", "/r", "main", "")})
	require.ErrorIs(t, err, ErrNamespaceNotAllowed, "what has no namespace is the administrator's")
	require.Zero(t, set.Len())
}

func TestATenantReadsNothingOfAnothersRepository(t *testing.T) {
	victim := Repository{Ref: ref("victim/r"), URL: "https://host/secret-path?x", AllowedNamespaces: []string{"*"}}
	set, _ := Resolve([]Repository{victim}, []Spec{spec("evil/d", "victim/r", "main", ""), spec("victim/d", "victim/r", "main", "")})
	require.ErrorIs(t, set.Err(ref("evil/d")), ErrInvalid)
	require.NotContains(t, set.Err(ref("evil/d")).Error(), "secret-path")
	require.ErrorContains(t, set.Err(ref("victim/d")), "secret-path", "its owner does")

	victim.URL, victim.AllowedBranches = "https://host/r", []string{"secret-*"}
	set, _ = Resolve([]Repository{victim}, []Spec{spec("evil/d", "victim/r", "main", ""), spec("victim/d", "victim/r", "main", "")})
	require.ErrorIs(t, set.Err(ref("evil/d")), ErrBranchNotAllowed)
	require.NotContains(t, set.Err(ref("evil/d")).Error(), "secret-")
	require.ErrorContains(t, set.Err(ref("victim/d")), "secret-*")
}

func TestAPermissionIsAWholeNameOrAll(t *testing.T) {
	for _, wrong := range []string{"", "team-*", "**", "Team", "a/b", " a", "a."} {
		repository := Repository{Ref: ref("a/r"), URL: "https://host/r", AllowedNamespaces: []string{"ok", wrong}}
		s := spec("a/d", "a/r", "main", "")
		set, _ := Resolve([]Repository{repository}, []Spec{s})
		var e *Error
		require.ErrorAs(t, set.RepositoryErr(repository.Ref), &e, wrong)
		require.Equal(t, []string{"AllowedNamespaces", wrong}, []string{e.Field, e.Value})
		s.AllowedNamespaces, repository.AllowedNamespaces = []string{wrong}, nil
		set, _ = Resolve([]Repository{repository}, []Spec{s})
		require.ErrorAs(t, set.Err(s.Ref), &e, wrong)
		require.Equal(t, []string{"AllowedNamespaces", wrong}, []string{e.Field, e.Value})
		require.False(t, set.Allows(s.Ref, wrong+"x"))
	}
}
