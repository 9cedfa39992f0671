package destination

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var valid = Destination{
	Ref:        Ref{Namespace: "team-a", Name: "prod"},
	Repository: "https://github.com/org/repo.git",
	Branch:     "main",
	BaseFolder: "clusters/prod",
}

func TestADestinationIsValidWithoutARepositoryRef(t *testing.T) {
	require.NoError(t, valid.Validate())
	d := valid
	d.RepositoryRef = Ref{Namespace: "team-a", Name: "repo"}
	require.NoError(t, d.Validate())
	d.Ref.Namespace, d.RepositoryRef.Namespace, d.BaseFolder = "", "", ""
	require.NoError(t, d.Validate())
}

func TestValidateNamesEveryFaultAtOnce(t *testing.T) {
	require.Error(t, Destination{}.Validate())
	err := Destination{
		Ref:           Ref{Namespace: "team-a"},
		RepositoryRef: Ref{Namespace: "team\na", Name: "repo"},
		Repository:    "repo",
		Branch:        "HEAD",
		BaseFolder:    "../prod",
	}.Validate()
	var fields []string
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		require.ErrorIs(t, err, ErrInvalid)
		var fault *Error
		require.ErrorAs(t, err, &fault)
		require.Equal(t, KindDestination, fault.Kind)
		require.ErrorContains(t, err, fault.Field)
		fields = append(fields, fault.Field)
	}
	require.Equal(t, []string{"Ref", "RepositoryRef", "Repository", "Branch", "BaseFolder"}, fields)
}

func TestARefHasOneReadingAsText(t *testing.T) {
	for _, ref := range []Ref{{}, {Namespace: "a"}, {Name: "a/b"}, {Namespace: "a/b", Name: "c"}, {Name: "a b"}, {Name: "a\nb"}, {Name: "\xff"}} {
		d := valid
		d.Ref = ref
		require.ErrorIs(t, d.Validate(), ErrInvalid, "%q", ref)
	}
}

func TestTheTextOfADestinationSaysWhereItPoints(t *testing.T) {
	require.Equal(t, "team-a/prod (https://github.com/org/repo#main:clusters/prod)", valid.String())
	require.Equal(t, valid.String(), valid.MarshalLog())
	require.Equal(t, "https://github.com/org/repo#main", valid.RemoteBranch().String())

	d := valid
	d.Repository = "repo"
	require.Equal(t, "team-a/prod (repo#main:clusters/prod)", d.String())
}

func TestDestinationsAreComparable(t *testing.T) {
	other := valid
	other.Branch = "dev"
	seen := map[Destination]int{valid: 1, other: 2}
	require.Equal(t, 1, seen[valid])
	require.Equal(t, 2, seen[other])
	require.NotEqual(t, valid.RemoteBranch(), other.RemoteBranch())
}

func TestAnErrorMatchesItsSentinelAndNamesFieldAndValue(t *testing.T) {
	var err error = &Error{Kind: KindDestination, Ref: valid.Ref, Field: "Branch", Value: "x y", Err: ErrBranchNotAllowed}
	require.ErrorIs(t, err, ErrBranchNotAllowed)
	require.EqualError(t, err, `GitDestination team-a/prod: Branch "x y": branch not allowed`)
}
