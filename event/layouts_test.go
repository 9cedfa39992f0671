package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

func parsed(t testing.TB, text string) event.Layout {
	t.Helper()
	layout, err := event.ParseLayout(text)
	require.NoError(t, err)
	return layout
}

func TestEachLayoutNamesTheFileOfAnObject(t *testing.T) {
	service, node := resource("", "services", "shop", "web"), resource("", "nodes", "", "n1.example.com")
	for _, c := range []struct {
		layout   string
		resource event.Resource
		path     string
	}{
		{"default", service, "shop/services/web.yaml"},
		{"by-type", service, "services/shop/web.yaml"},
		{"by-type", node, "nodes/_cluster/n1.example.com.yaml"},
		{"by-type", web, "deployments.apps/default/web.yaml"},
		{"by-type", resource("", "configmaps", "a", "kustomization"), "configmaps/a/%6Bustomization.yaml"},
		{"flat/shop", service, "services_web.yaml"},
		{"flat/shop", web, "default/deployments.apps_web.yaml"},
		{"flat/shop", node, "_cluster/nodes_n1.example.com.yaml"},
		{"flat/shop", resource("", "a_b", "shop", "c"), "a%5Fb_c.yaml"},
		{"flat/_cluster", node, "nodes_n1.example.com.yaml"},
		{"flat/_cluster", service, "shop/services_web.yaml"},
		{"{namespace}/{group}/{resource}/{name}.yaml", service, "shop/_core/services/web.yaml"},
		{"{namespace}/{group}/{resource}/{name}.yaml", web, "default/apps/deployments/web.yaml"},
		{"{namespace}/{group}/{resource}/{name}.yaml", resource("", "x.y", "a", "_core"), "a/_core/x.y/%5Fcore.yaml"},
		{"{group}/{resource}/{namespace}/{name}.yml", node, "_core/nodes/_cluster/n1.example.com.yml"},
		{"apps/{namespace}_{resource.group}/object-{name}.yaml", node, "apps/_cluster_nodes/object-n1.example.com.yaml"},
		{"{namespace}/{name}/{resource.group}.yaml", web, "default/web/deployments.apps.yaml"},
		{"{namespace}@{group}+{resource}={name}.k8s.yaml", web, "default@apps+deployments=web.k8s.yaml"},
		{"{namespace}@{group}+{resource}={name}.k8s.yaml", node, "_cluster@_core+nodes=n1.example.com.k8s.yaml"},
	} {
		layout := parsed(t, c.layout)
		require.Equal(t, c.path, layout.Path(c.resource), c.layout)
		collection, ok := layout.Collection(c.path)
		require.True(t, ok, c.path)
		require.Equal(t, scopeOf(c.resource), collection, c.path)
	}
}

func TestALayoutCanBeMadeAgainByItsNameAlone(t *testing.T) {
	names := map[string]bool{}
	for text, name := range map[string]string{
		"default": "default/v1", "by-type": "by-type/v1", "flat/shop": "flat/v1/shop", "flat/_cluster": "flat/v1/_cluster", "flat/other": "flat/v1/other",
		"{namespace}/{group}/{resource}/{name}.yaml": "template/v1/{namespace}/{group}/{resource}/{name}.yaml",
	} {
		layout := parsed(t, text)
		require.Equal(t, name, layout.Name(), "names are for ever")
		again, ok := event.LayoutNamed(name)
		require.True(t, ok)
		require.Equal(t, layout, again)
		names[name] = true
	}
	require.Len(t, names, 6)
	for _, name := range []string{"", "default", "default/v2", "flat/v1/", "flat/v1/Shop", "flat/v1/_core", "template/v1/", "template/v1/{name}.yaml"} {
		_, ok := event.LayoutNamed(name)
		require.False(t, ok, name)
	}
}

func TestATemplateOfAReadyLayoutIsThatLayout(t *testing.T) {
	require.Equal(t, event.DefaultLayout, parsed(t, "{namespace}/{resource.group}/{name}.yaml"))
	require.Equal(t, event.ByTypeLayout, parsed(t, "{resource.group}/{namespace}/{name}.yaml"))
}

func TestWhatIsNoLayoutIsRefusedWithTheReason(t *testing.T) {
	for text, says := range map[string]string{
		"":                               "use default, by-type, flat/NAMESPACE, or a template",
		"Default":                        "use default, by-type",
		"flat":                           "write flat/NAMESPACE",
		"flat/":                          "the namespace of flat",
		"flat/Shop":                      "the namespace of flat",
		"flat/a/b":                       "the namespace of flat",
		"{name}.yaml":                    "lacks {namespace}",
		"{namespace}":                    "lacks {name}",
		"{nam}/{name}":                   "{nam} is no word of a layout: the words are {namespace}, {resource.group}, {group}, {resource} and {name}",
		"{name/x.yaml":                   `"{name" has no closing brace`,
		"{name}{x.yaml":                  `"{x.yaml" has no closing brace`,
		"{label:a}/{b}":                  "{label:a} is no word of a layout: labels change",
		"/{namespace}/x":                 "a folder in it has no name",
		"{namespace}//x":                 "a folder in it has no name",
		"{name}/":                        "a folder in it has no name",
		"{namespace}/{kind}/{name}.yaml": "{kind} is no word of a layout: the kind is no part of an object's identity",
		"{namespace}/{version}/{resource.group}/{name}.yaml":                                "a new version of a type would move all of its files",
		"{namespaceOrCluster}/{name}.yaml":                                                  "use {namespace}, which is _cluster",
		"{namespace}/{groupPath}/{resource}/{name}.yaml":                                    "use {group}, which is _core",
		"{namespace}/{name}{sensitiveSuffix}":                                               "write .yaml",
		"{namespace}/{name}.yaml":                                                           "it lacks the type",
		"{namespace}/{group}/{name}.yaml":                                                   "it lacks the type",
		"{namespace}/{resource}/{name}.yaml":                                                "{resource} alone is no type",
		"{namespace}/{resource.group}/{resource}/{name}.yaml":                               "say the same",
		"{namespace}/{resource.group}.yaml":                                                 "lacks {name}",
		"{namespace}/{namespace}/{resource.group}/{name}.yaml":                              "it has {namespace} twice",
		"{namespace}/{resource.group}/{name}":                                               "end with .yaml or .yml",
		"{namespace}/{resource.group}/{name}.json":                                          "end with .yaml or .yml",
		"{namespace}/{resource.group}-{name}.yaml":                                          "{resource.group} in \"{resource.group}-{name}.yaml\" has to be followed by one of _+=@,",
		"{namespace}/{resource.group}{name}.yaml":                                           "{resource.group}{name} stand together",
		"{namespace}/{resource.group}/c{name}.yaml":                                         "the text before {name}",
		"{namespace}/{resource.group}/{name}x.yaml":                                         "the text behind {name}",
		"Apps/{namespace}/{resource.group}/{name}.yaml":                                     `but not "A"`,
		"a b/{namespace}/{resource.group}/{name}.yaml":                                      `but not " "`,
		`a\b/{namespace}/{resource.group}/{name}.yaml`:                                      `but not "\\"`,
		"../{namespace}/{resource.group}/{name}.yaml":                                       "begins or ends with a dot",
		".git/{namespace}/{resource.group}/{name}.yaml":                                     "begins or ends with a dot",
		"a./{namespace}/{resource.group}/{name}.yaml":                                       "begins or ends with a dot",
		"con/{namespace}/{resource.group}/{name}.yaml":                                      "means something to other tools or to Windows",
		"{namespace}/{resource.group}/{name}/kustomization.yaml":                            "means something to other tools",
		strings.Repeat("a/", 8) + "{namespace}/{resource.group}/{name}.yaml":                "more than 7 folders",
		strings.Repeat("a", 200) + "{namespace}/{resource.group}/{name}.yaml":               "more than 200",
		"{namespace}/{resource.group}/{name}" + "." + strings.Repeat("a", 24) + ".yaml":     "more than 24",
		"{namespace}/{resource.group}/" + strings.Repeat("a", 24) + "-" + "{name}.yaml":     "more than 24",
		"\x00{namespace}/{resource.group}/{name}.yaml":                                      "but not",
		"ä/{namespace}/{resource.group}/{name}.yaml":                                        "text in it may have a-z",
		"{namespace}/{resource.group}/{name}.yaml\n{namespace}/{resource.group}/{name}.yml": "text in it may have a-z",
	} {
		_, err := event.ParseLayout(text)
		require.ErrorIs(t, err, event.ErrLayout, text)
		require.ErrorContains(t, err, says, text)
	}
}

func TestALongNameBesideOtherWordsIsCutAndItsCollectionIsTold(t *testing.T) {
	flat := event.FlatLayout("shop")
	long := strings.Repeat("n", 253)
	for _, group := range []string{"", "apps", strings.Repeat("g", 140)} {
		r := resource(group, "deployments", "shop", long)
		path := flat.Path(r)
		require.LessOrEqual(t, len(path), 255)
		collection, ok := flat.Collection(path)
		require.True(t, ok, path)
		require.Equal(t, scopeOf(r), collection)
		require.NotEqual(t, path, flat.Path(resource(group, "deployments", "shop", long+"n")))
	}
	path := flat.Path(resource(strings.Repeat("g", 190), "deployments", "shop", "x"))
	require.LessOrEqual(t, len(path), 255)
	_, ok := flat.Collection(path)
	require.False(t, ok, "the type was cut")
}

func TestFlatClaimsNoPathThatItDoesNotWrite(t *testing.T) {
	flat := event.FlatLayout("shop")
	for _, path := range []string{
		"", "README.md", "web.yaml", "services_web.yml", "_web.yaml", "services_.yaml", "services__web.yaml", "services-web.yaml", "shop/services_web.yaml",
		"a/b/services_web.yaml", "kustomization.yaml", "a_b/services_web.yaml", "services_con.yaml", "Services_web.yaml", "_cluster/_web.yaml", "/services_web.yaml",
	} {
		_, ok := flat.Collection(path)
		require.False(t, ok, path)
	}
}
