package kubescribe_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
)

func TestALocalRepositoryIsMirroredOnlyToAnAllowedFolder(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	rules := rulesFor(repo, prodRef)
	rules.Repositories[0].URL = repo.FileURL()
	for _, folders := range [][]string{nil, {repo.Dir() + "2"}, {repo.Dir()}} {
		m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{Git: gogit.Options{AllowedLocalFolders: folders}}))
		require.NoError(t, err)
		err = m.SetRules(rules)
		if len(folders) == 0 || folders[0] != repo.Dir() {
			require.ErrorIs(t, err, destination.ErrLocalNotAllowed)
			st, ok := m.DestinationStatus(prodRef)
			require.True(t, ok)
			require.ErrorIs(t, st.Err, destination.ErrLocalNotAllowed)
			require.False(t, st.Synced)
			continue
		}
		require.NoError(t, err)
		stop := start(t, m)
		synced(t, m)
		require.NoError(t, stop())
		require.Contains(t, repo.Tree("main"), "prod/default/configmaps/a.yaml")
	}
}

func TestAnAllowedFolderThatIsNoneIsAnErrorAtTheDoor(t *testing.T) {
	t.Parallel()
	_, err := kubescribe.New(&rest.Config{Host: "https://127.0.0.1:1"}, &kubescribe.Options{Git: gogit.Options{AllowedLocalFolders: []string{"repos"}}})
	require.ErrorContains(t, err, `kubescribe: Options: destination: AllowedLocalFolders: "repos": invalid: a path must be absolute`)
}
