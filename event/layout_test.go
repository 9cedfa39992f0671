package event_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func resource(group, resource, namespace, name string) event.Resource {
	return event.Resource{ID: event.ID{Group: group, Resource: resource, Namespace: namespace, Name: name}}
}

func scopeOf(r event.Resource) event.Collection {
	return event.Collection{Group: r.Group, Resource: r.Resource, Namespace: r.Namespace}
}

func TestDefaultLayoutNamesTheFileOfAnObject(t *testing.T) {
	for _, c := range []struct {
		resource event.Resource
		path     string
	}{
		{web, "default/deployments.apps/web.yaml"},
		{resource("", "services", "default", "web"), "default/services/web.yaml"},
		{resource("", "nodes", "", "n1.example.com"), "_cluster/nodes/n1.example.com.yaml"},
		{resource("rbac.authorization.k8s.io", "clusterroles", "", "system:node"),
			"_cluster/clusterroles.rbac.authorization.k8s.io/system%3Anode.yaml"},
		{resource("", "configmaps", "_cluster", "a_b"), "%5Fcluster/configmaps/a%5Fb.yaml"},
		{resource("", "configmaps", "a", "100%"), "a/configmaps/100%25.yaml"},
		{resource("", "configmaps", "a", "Web"), "a/configmaps/%57eb.yaml"},
		{resource("", "configmaps", "a", "ä"), "a/configmaps/%C3%A4.yaml"},
		{resource("", "configmaps", "..", ".git"), "%2E%2E/configmaps/%2Egit.yaml"},
		{resource("", "configmaps", ".", "a."), "%2E/configmaps/a%2E.yaml"},
		{resource("", "configmaps", "con", "nul.x"), "%63on/configmaps/%6Eul.x.yaml"},
		{resource("", "configmaps", "a", "com1"), "a/configmaps/%63om1.yaml"},
		{resource("", "configmaps", "az", "09-az"), "az/configmaps/09-az.yaml"},
		{resource("", "configmaps", "prn", "aux.x"), "%70rn/configmaps/%61ux.x.yaml"},
		{resource("", "configmaps", "com0", "lpt9.x"), "%63om0/configmaps/%6Cpt9.x.yaml"},
		{resource("", "configmaps", "com-", "coma"), "com-/configmaps/coma.yaml"},
		{resource("", "configmaps", "abc1", "lpt10"), "abc1/configmaps/lpt10.yaml"},
		{resource("", "configmaps", "a", "kustomization"), "a/configmaps/%6Bustomization.yaml"},
		{resource("c", "a.b", "a", "x"), "a/a%2Eb.c/x.yaml"},
		{resource("b.c", "a", "a", "x"), "a/a.b.c/x.yaml"},
		{resource("", strings.Repeat("r", 200), "a", "x"), "a/" + strings.Repeat("r", 200) + "/x.yaml"},
	} {
		require.Equal(t, c.path, event.DefaultLayout.Path(c.resource))
		scope, ok := event.DefaultLayout.Collection(c.path)
		require.True(t, ok, c.path)
		require.Equal(t, scopeOf(c.resource), scope)
	}
}

func TestDefaultLayoutClaimsNoPathThatItDoesNotWrite(t *testing.T) {
	for _, path := range []string{
		"", "/", "//", "README.md", "kustomization.yaml", ".kubescribe", "a/b.yaml", "a/pods.yaml", "a/pods/", "a/pods/.yaml", "a/pods/x",
		"a/pods/x.yml", "a/pods/x.YAML", "a/pods/x.json", "a/pods/x/y.yaml", "/pods/x.yaml", "a//x.yaml", "./a/pods/x.yaml", "../pods/x.yaml",
		"a/pods/_.yaml", "_/pods/x.yaml", "a/_/x.yaml", "a/pods/kustomization.yaml", "a/.github/x.yaml", "a/pods./x.yaml", "a/.apps/x.yaml",
		"a/pods/%2e.yaml", "a/pods/x%3ay.yaml", "a/pods/%61.yaml", "a/pods/x%.yaml", "a/pods/x%2.yaml", "a/pods/%zz.yaml", "a/pods/A.yaml",
		"a/pods/x .yaml", "a/pods/x_y.yaml", "a/pods/ä.yaml", "a/Pods/x.yaml", "_Cluster/pods/x.yaml", "_cluster2/pods/x.yaml",
		"a/pods/.x.yaml", "a/pods/x..yaml", "a/pods/con.yaml", "con/pods/x.yaml", "a/pods/x~.yaml", "a/pods/x~" + strings.Repeat("0", 32) + ".yaml",
		"a/" + strings.Repeat("x", 201) + "/x.yaml", "a/%zz/x.yaml", "a/pods.%zz/x.yaml", "a/%/x.yaml", "%zz/pods/x.yaml", "_/pods/x.yaml", "a/_.apps/x.yaml",
		"a/pods/" + strings.Repeat("x", 201) + ".yaml", strings.Repeat("x", 201) + "/pods/x.yaml",
		"a/pods/" + strings.Repeat("x", 167) + "~" + strings.Repeat("A", 32) + ".yaml",
		"a/pods/" + strings.Repeat("x", 167) + "~" + strings.Repeat("0", 31) + ".yaml",
		"a/pods/" + strings.Repeat("x", 168) + "~" + strings.Repeat("0", 32) + ".yaml",
		"a/pods/" + strings.Repeat("X", 167) + "~" + strings.Repeat("0", 32) + ".yaml",
	} {
		_, ok := event.DefaultLayout.Collection(path)
		require.False(t, ok, "%q", path)
	}
}

func TestDefaultLayoutCutsLongNamesAndStillTellsTheirScope(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{
		strings.Repeat("a", 200), strings.Repeat("a", 201), strings.Repeat("a", 253), strings.Repeat("a", 252) + "b",
		strings.Repeat("a", 165) + strings.Repeat(":", 20), strings.Repeat("a", 166) + strings.Repeat(":", 20),
		strings.Repeat(":", 253), strings.Repeat("a", 166) + "." + strings.Repeat("a", 50), strings.Repeat("ä", 120),
	} {
		r := resource("apps", "deployments", "default", name)
		path := event.DefaultLayout.Path(r)
		require.NoError(t, destination.ValidatePath(path))
		require.LessOrEqual(t, len(filepath.Base(path)), 205)
		require.False(t, seen[path])
		seen[path] = true
		scope, ok := event.DefaultLayout.Collection(path)
		require.True(t, ok, path)
		require.Equal(t, scopeOf(r), scope)
	}
	require.True(t, seen["default/deployments.apps/"+strings.Repeat("a", 200)+".yaml"], "200 bytes are not cut")
}

func TestALongNameIsCutBeforeAnEscapeOnlyIfThatDoesNotFit(t *testing.T) {
	for fits, head := range map[int]string{164: "%3A", 165: "", 166: "", 167: ""} {
		path := event.DefaultLayout.Path(resource("", "pods", "a", strings.Repeat("a", fits)+strings.Repeat(":", 20)))
		require.True(t, strings.HasPrefix(path, "a/pods/"+strings.Repeat("a", fits)+head+"~"), path)
	}
}

func TestDefaultLayoutCannotTellTheScopeOfATypeThatWasCut(t *testing.T) {
	path := event.DefaultLayout.Path(resource(strings.Repeat("g", 200), "widgets", "default", "x"))
	require.NoError(t, destination.ValidatePath(path))
	_, ok := event.DefaultLayout.Collection(path)
	require.False(t, ok)
}

func TestTheNameOfTheDefaultLayoutIsForEver(t *testing.T) {
	require.Equal(t, "default/v1", event.DefaultLayout.Name())
}

// hostile are names that a file system or Git could take for something else.
var hostile = []string{
	"a", "A", "ä", "Ä", "a.", ".a", ".", "..", "...", ".git", ".GIT", "git~1", ".gitmodules", ".gitattributes", "gitmod~1", ".git ", ".g\u200cit",
	"con", "CON", "con.x", "aux", "lpt9", "_cluster", "_", "~", "%", "%2E", "%2e", "%61", "a/b", `a\b`, "a:b", "a b", "a\nb", "a\x00b", "a\xff",
	"kustomization", "HEAD", "-x", "a~" + strings.Repeat("0", 32), strings.Repeat("x", 200), strings.Repeat("x", 253), strings.Repeat("X", 253),
	strings.Repeat(".", 253), strings.Repeat("é", 100) + "1", strings.Repeat("é", 100) + "2",
}

func TestGitFsckAcceptsTheTreeWhateverTheNames(t *testing.T) {
	seen := map[string]event.ID{}
	var index strings.Builder
	for i, name := range hostile {
		for _, r := range []event.Resource{
			resource("", "pods", "default", name), resource("", "pods", name, "x"), resource("", name, "", "x"), resource(name, "pods", "", "x"),
			resource(name, name, name, hostile[len(hostile)-1-i]),
		} {
			path := event.DefaultLayout.Path(r)
			require.NoError(t, destination.ValidatePath(path))
			other, met := seen[strings.ToLower(path)]
			require.False(t, met, "%q and %q share %s", r.ID, other, path)
			seen[strings.ToLower(path)] = r.ID
			index.WriteString("100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\t" + path + "\n")
		}
	}
	repository := t.TempDir()
	git(t, repository, "", "init", "-q")
	git(t, repository, "", "hash-object", "-w", "-t", "blob", "/dev/null")
	git(t, repository, index.String(), "update-index", "--add", "--index-info")
	git(t, repository, "", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "all")
	require.Len(t, strings.Fields(git(t, repository, "", "ls-files")), len(seen))
	// There are no commit-graphs, and no multi-pack-indices.
	git(t, repository, "", "-c", "core.commitGraph=false", "-c", "core.multiPackIndex=false", "fsck", "--strict")
	git(t, repository, "", "checkout", "-q", "-f", "HEAD", ".")
}

func git(t *testing.T, folder, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return string(out)
}

// isLegal reports whether the API server accepts these names and the default layout promises their
// scope.
func isLegal(r event.Resource) bool {
	legal := len(validation.IsDNS1035Label(r.Resource)) == 0 && len(content.IsPathSegmentName(r.Name)) == 0 && r.Name != ""
	legal = legal && (r.Group == "" || len(validation.IsDNS1123Subdomain(r.Group)) == 0) && len(r.Resource)+len(r.Group) < 200
	return legal && (r.Namespace == "" || len(validation.IsDNS1123Label(r.Namespace)) == 0)
}

// FuzzLayout states the promises of DefaultLayout for any two objects: no path leaves the folder or
// upsets Git, different objects never meet even on a case-blind disk, and Collection is right for
// legal names and never wrong.
func FuzzLayout(f *testing.F) {
	for i, name := range hostile {
		f.Add(name, name, name, name, "apps", "deployments", "default", hostile[(i+1)%len(hostile)])
		f.Add("apps", "deployments", "default", name, "apps", "deployments", "default", strings.ToUpper(name))
	}
	f.Add("b.c", "a", "n", "x", "c", "a.b", "n", "x")
	f.Add("", "a.b", "n", "x", "b", "a", "n", "x")
	f.Fuzz(func(t *testing.T, g1, r1, ns1, n1, g2, r2, ns2, n2 string) {
		a, b := resource(g1, r1, ns1, n1), resource(g2, r2, ns2, n2)
		pathA, pathB := event.DefaultLayout.Path(a), event.DefaultLayout.Path(b)
		if a != b && strings.EqualFold(pathA, pathB) {
			t.Fatalf("%q and %q share %s", a.ID, b.ID, pathA)
		}
		for r, path := range map[event.Resource]string{a: pathA, b: pathB} {
			if err := destination.ValidatePath(path); err != nil {
				t.Fatalf("%q: %v", r.ID, err)
			}
			if strings.Count(path, "/") != 2 || !filepath.IsLocal(path) || filepath.Clean(path) != path {
				t.Fatalf("%q leaves its folder: %s", r.ID, path)
			}
			scope, ok := event.DefaultLayout.Collection(path)
			if isLegal(r) && !ok || ok && scope != scopeOf(r) {
				t.Fatalf("%q: Scope(%s) is %v, %t", r.ID, path, scope, ok)
			}
		}
		// whatever Collection claims, Path writes: any text taken for a path.
		if scope, ok := event.DefaultLayout.Collection(n1); ok {
			folder, _, _ := strings.Cut(event.DefaultLayout.Path(resource(scope.Group, scope.Resource, scope.Namespace, "x")), "/x.yaml")
			if !strings.HasPrefix(n1, folder+"/") {
				t.Fatalf("Scope(%q) is %v, whose folder is %s", n1, scope, folder)
			}
		}
	})
}
