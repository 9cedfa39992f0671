package destination_test

import (
	"errors"
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
)

func Example() {
	repo := destination.Ref{Namespace: "team-a", Name: "repo"}
	prod := destination.Ref{Namespace: "team-a", Name: "prod"}
	test := destination.Ref{Namespace: "team-a", Name: "test"}

	set, err := destination.Resolve(
		[]destination.Repository{{
			Ref:             repo,
			URL:             "https://github.com/org/repo.git",
			AllowedBranches: []string{"main", "release/*"},
		}},
		[]destination.Spec{
			{Ref: prod, RepositoryRef: repo, Branch: "main", BaseFolder: "clusters/prod"},
			{Ref: test, RepositoryRef: repo, Branch: "test", BaseFolder: "clusters/test"},
		},
	)
	for d := range set.All() {
		fmt.Println(d)
	}
	fmt.Println(errors.Is(err, destination.ErrBranchNotAllowed))
	fmt.Println(set.Err(test))
	// Output:
	// team-a/prod (https://github.com/org/repo#main:clusters/prod)
	// true
	// GitDestination team-a/test: Branch "test": branch not allowed: GitRepoConfig team-a/repo allows ["main" "release/*"]
}

func ExampleDestination_RemoteBranch() {
	for _, url := range []string{"git@github.com:org/repo.git", "ssh://git@GitHub.com:22/org/repo", "https://github.com/org/repo"} {
		fmt.Println(destination.Destination{Repository: url, Branch: "main"}.RemoteBranch())
	}
	// Output:
	// ssh://git@github.com/org/repo#main
	// ssh://git@github.com/org/repo#main
	// https://github.com/org/repo#main
}

func ExampleValidatePath() {
	for _, path := range []string{"clusters/prod/default/configmaps/a.yaml", "clusters/../b", "a/GIT~1/config"} {
		fmt.Println(destination.ValidatePath(path))
	}
	// Output:
	// <nil>
	// invalid: component ".." is or could be read as "." or "..", write the path without it
	// invalid: component "GIT~1" is or could be read as .git
}
