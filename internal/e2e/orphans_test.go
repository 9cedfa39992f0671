package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// somebodys are entries in our folder that the layout could not have written, or for objects that
// no rule covers.
func somebodys(ns string) map[string]gitservertest.File {
	commit := strings.Repeat("1", 40)
	return map[string]gitservertest.File{
		"README.md":                           {Content: "Read me.\n"},
		"kustomization.yaml":                  {Content: "resources: [ns]\n"},
		"notes.yaml":                          {Content: "apiVersion: v1\nkind: ConfigMap\n"},
		"extra/deep/er/file.yaml":             {Content: "deep: true\n"},
		"run.sh":                              {Mode: gitservertest.ModeExecutable, Content: "#!/bin/sh\r\nexit 0"},
		"current":                             {Mode: gitservertest.ModeSymlink, Content: "../elsewhere"},
		"vendor/lib":                          {Mode: gitservertest.ModeSubmodule, Content: commit},
		ns + "/README.md":                     {Content: ""},
		ns + "/configmaps/UPPER.yaml":         {Content: "a: 1\n"},
		ns + "/configmaps/%61bc.yaml":         {Content: "a: 1\n"},
		ns + "/configmaps/a%2fb.yaml":         {Content: "a: 1\n"},
		ns + "/configmaps/100%.yaml":          {Content: "a: 1\n"},
		ns + "/configmaps/a.yml":              {Content: "a: 1\n"},
		ns + "/configmaps/.hidden.yaml":       {Content: "a: 1\n"},
		ns + "/configmaps/kustomization.yaml": {Content: "resources: [a.yaml]\n"},
		ns + "/configmaps/more/a.yaml":        {Content: "a: 1\n"},
		ns + "/configmaps/link.yaml":          {Mode: gitservertest.ModeSymlink, Content: "a.yaml"},
		ns + "/configmaps/module.yaml":        {Mode: gitservertest.ModeSubmodule, Content: commit},
		ns + "/deployments.apps/web.yaml":     {Content: "not covered\n"},
		"elsewhere/configmaps/a.yaml":         {Content: "not covered\n"},
		"_cluster/configmaps/a.yaml":          {Content: "not covered\n"},
	}
}

// in puts files into a folder.
func in(folder string, files map[string]gitservertest.File) map[string]gitservertest.File {
	moved := map[string]gitservertest.File{}
	for path, file := range files {
		moved[folder+"/"+path] = file
	}
	return moved
}

func TestOrphansGoAndWhatIsSomebodyElsesStaysByteForByte(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("orphans.git")
	outside := in("clusters/other", somebodys(ns))
	// The folder's name is a prefix of it.
	maps.Copy(outside, in("clusters/fx", configMapsAsFiles(ns, "b", "ghost")))
	maps.Copy(outside, configMapsAsFiles(ns, "b", "ghost"))
	repo.Commit("main", outside, "What is outside")
	rules := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "clusters/f")
	for _, name := range []string{"a", "b", "c"} {
		c.configMap(ns, name, "one")
	}
	m := start(c, rules, nil)
	m.synced()
	m.stop()

	ours := "clusters/f/" + ns + "/configmaps/"
	inside := in("clusters/f", somebodys(ns))
	inside[ours+"ghost.yaml"] = gitservertest.File{Content: "apiVersion: v1\n"}
	inside[ours+"a.yaml"] = gitservertest.File{Mode: gitservertest.ModeExecutable, Content: "edited\n"}
	tip := repo.Commit("main", inside, "What is inside")
	want := repo.List("main")
	delete(want, ours+"b.yaml")
	delete(want, ours+"ghost.yaml")
	c.delete(configMaps, ns, "b")
	m = start(c, rules, nil)
	m.synced()

	got := repo.List("main")
	require.Equal(t, gitservertest.ModeExecutable, got[ours+"a.yaml"].Mode)
	require.Equal(t, configMapYAML(ns, "a", "one"), repo.Tree("main")[ours+"a.yaml"])
	delete(got, ours+"a.yaml")
	delete(want, ours+"a.yaml")
	require.Empty(t, cmp.Diff(want, got))
	repo.Linear("main", tip)
	repo.Fsck()
}

// configMapsAsFiles are files that the layout could have written.
func configMapsAsFiles(ns string, names ...string) map[string]gitservertest.File {
	files := map[string]gitservertest.File{}
	for _, name := range names {
		files[ns+"/configmaps/"+name+".yaml"] = gitservertest.File{Content: "by hand: " + name + "\n"}
	}
	return files
}

func TestALinkOrSubmoduleWhereAnObjectBelongsStaysAndHoldsUpNothing(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("links.git")
	dest := ref(ns, "dest")
	for _, name := range []string{"link", "module"} {
		c.configMap(ns, name, "one")
	}
	m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), nil)
	m.synced()
	link, module := "f/"+ns+"/configmaps/link.yaml", "f/"+ns+"/configmaps/module.yaml"
	repo.Commit("main", map[string]gitservertest.File{
		link:   {Mode: gitservertest.ModeSymlink, Content: "../elsewhere.yaml"},
		module: {Mode: gitservertest.ModeSubmodule, Content: strings.Repeat("1", 40)},
	}, "In the way")
	list := repo.List("main")
	stays := func() {
		t.Helper()
		now := repo.List("main")
		require.Equal(t, []gitservertest.Entry{list[link], list[module]}, []gitservertest.Entry{now[link], now[module]})
	}

	require.NoError(t, m.Resync(dest))
	st := m.status(dest, func(st kubescribe.DestinationStatus) bool { return st.Synced && len(st.Skipped) == 2 })
	require.ErrorIs(t, st.Skipped[0].Err, gitsink.ErrPath)
	stays()
	for _, name := range []string{"link", "module"} {
		c.delete(configMaps, ns, name)
	}
	c.configMap(ns, "other", "one")
	eventually(t, func() bool { return folder(repo, "main", "f")[ns+"/configmaps/other.yaml"] != "" }, func() string {
		st, _ := m.DestinationStatus(dest)
		return fmt.Sprintf("the other object is not written: %+v", st)
	})
	stays()
	seeded, _ := m.DestinationStatus(dest)
	require.NoError(t, m.Resync(dest))
	st = m.status(dest, func(st kubescribe.DestinationStatus) bool { return st.LastSeed.After(seeded.LastSeed) || st.Err != nil })
	require.NoError(t, st.Err)
	stays()
	repo.Fsck()
}

func TestAFolderThatHeldFilesLosesNoneBeforeItIsAdopted(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("adopt.git")
	rules := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f")
	dest := ref(ns, "dest")
	before := configMapsAsFiles(ns, "old-1", "old-2", "a")
	maps.Copy(before, somebodys(ns))
	repo.Commit("main", in("f", before), "What was there")
	want := repo.Tree("main")
	for _, name := range []string{"a", "b", "c"} {
		c.configMap(ns, name, "one")
		want["f/"+ns+"/configmaps/"+name+".yaml"] = configMapYAML(ns, name, "one")
	}
	// holds compares everything but the ownership file.
	holds := func() {
		t.Helper()
		eventually(t, func() bool {
			got := maps.Clone(treeOf(repo, "main"))
			delete(got, "f/.kubescribe")
			return cmp.Equal(want, got)
		}, func() string { return cmp.Diff(want, treeOf(repo, "main")) })
	}
	gone := func(names ...string) {
		for _, name := range names {
			delete(want, "f/"+ns+"/configmaps/"+name+".yaml")
		}
	}
	paths := func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, ns+"/configmaps/"+name+".yaml")
		}
		return paths
	}

	m := start(c, rules, nil)
	m.synced()
	holds()
	st, _ := m.DestinationStatus(dest)
	require.Equal(t, paths("old-1", "old-2"), st.Unadopted)
	require.Contains(t, repo.Tree("main")["f/.kubescribe"], "adopted: false")
	c.delete(configMaps, ns, "b") // a delete that is seen
	gone("b")
	holds()
	m.stop()

	c.delete(configMaps, ns, "c") // one that is not
	tip, _ := repo.Tip("main")
	m = start(c, rules, nil)
	m.synced()
	st, _ = m.DestinationStatus(dest)
	require.Equal(t, paths("c", "old-1", "old-2"), st.Unadopted)
	require.Nil(t, st.Held)
	now, _ := repo.Tip("main")
	require.Equal(t, tip, now, "a restart adopts nothing")

	require.NoError(t, m.Adopt(dest))
	gone("c", "old-1", "old-2")
	holds()
	st = m.status(dest, func(st kubescribe.DestinationStatus) bool { return st.Unadopted == nil && st.Synced })
	require.Contains(t, repo.Tree("main")["f/.kubescribe"], "adopted: true")
	m.stop()
	repo.Linear("main", tip)
	repo.Fsck()
}

func TestManyFilesInAFolderNeedBothAdoptionAndApprovalInAnyOrder(t *testing.T) {
	inParallel(t)
	for _, order := range []string{"adopt first", "approve first"} {
		t.Run(order, func(t *testing.T) {
			c := sharedCluster(t)
			ns := c.namespace()
			repo := gitservertest.NewServer(t, nil).NewRepo("many.git")
			dest := ref(ns, "dest")
			var names []string
			for i := range 12 {
				names = append(names, fmt.Sprintf("old-%02d", i))
			}
			repo.Commit("main", in("f", configMapsAsFiles(ns, names...)), "What was there")
			c.configMap(ns, "a", "one")
			m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), nil)
			m.synced()
			st, _ := m.DestinationStatus(dest)
			require.Len(t, st.Unadopted, 12, "all that would go, however many")
			require.Nil(t, st.Held, "an approval alone would not help")

			if order == "approve first" {
				require.NoError(t, m.Approve(dest))
				m.status(dest, func(now kubescribe.DestinationStatus) bool { return now.LastSeed.After(st.LastSeed) && now.Synced })
				require.Len(t, folder(repo, "main", "f"), 13)
				require.NoError(t, m.Adopt(dest))
			} else {
				require.NoError(t, m.Adopt(dest))
				held := m.status(dest, func(now kubescribe.DestinationStatus) bool { return now.Held != nil && now.Synced })
				require.Equal(t, 12, held.Held.Count)
				require.Empty(t, held.Unadopted)
				require.Len(t, folder(repo, "main", "f"), 13)
				require.NoError(t, m.Approve(dest))
			}
			becomes(t, repo, "main", "f", configMapFiles(ns, "a", "one"))
		})
	}
}
