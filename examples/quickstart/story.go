package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

//go:embed manifests
var manifests embed.FS

// play seeds, changes, deletes, and removes an orphan.
func play(ctx context.Context, repo repository, out io.Writer) error {
	// The UID names the cluster. It is fixed, so that a second run with --repo is one of the same
	// cluster.
	cluster := clustertest.New(&clustertest.Options{KubeSystemUID: "quickstart"})
	defer cluster.Close()
	client, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		return err
	}
	rules, err := load(repo.dir)
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "1. The cluster holds two ConfigMaps, a Deployment and a ClusterRole. A Mirror starts: the seed sync.")
	err = apply(ctx, client, configMap("settings", "blue", "prod"), configMap("experiment", "on", "dev"), deployment("web", 2), clusterRole("reader"))
	if err != nil {
		return err
	}
	m, stop, err := start(ctx, cluster.Config(), rules, repo)
	if err != nil {
		return err
	}
	if err := m.WaitSynced(ctx); err != nil {
		return err
	}
	if err := repo.show(ctx); err != nil {
		return err
	}
	if err := repo.owner(ctx); err != nil {
		return err
	}
	before, err := repo.tips(ctx)
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "\n2. Live: settings changes, web is scaled, experiment makes room for experiment-2.")
	if err := live(ctx, client, repo, before); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	if err := repo.show(ctx); err != nil {
		return err
	}
	if err := repo.changed(ctx, before[0], "clusters/prod/default/configmaps/settings.yaml"); err != nil {
		return err
	}

	fmt.Fprintln(out, "\n3. The Mirror has stopped. Meanwhile web is deleted: its file is an orphan. A Mirror starts again.")
	if err := remove(ctx, client, deployments, "web"); err != nil {
		return err
	}
	m, stop, err = start(ctx, cluster.Config(), rules, repo)
	if err != nil {
		return err
	}
	if err := m.WaitSynced(ctx); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	return repo.show(ctx)
}

// start runs a Mirror until stop is called.
func start(ctx context.Context, config *rest.Config, rules kubescribe.Rules, repo repository) (m *kubescribe.Mirror, stop func() error, err error) {
	m, err = kubescribe.New(config, &kubescribe.Options{
		Queue: queue.Options{Window: queue.Window{Debounce: 200 * time.Millisecond}},
		Git:   gogit.Options{AllowedLocalFolders: []string{repo.dir}}, // servers need no permission
	})
	if err != nil {
		return nil, nil, err
	}
	if err := m.SetRules(rules); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	return m, func() error { cancel(); return <-ended }, nil
}

// live changes objects while a Mirror runs and waits until both branches have moved on from before.
func live(ctx context.Context, client dynamic.Interface, repo repository, before []string) error {
	if err := apply(ctx, client, configMap("settings", "green", "prod"), deployment("web", 3), configMap("experiment-2", "on", "dev")); err != nil {
		return err
	}
	if err := remove(ctx, client, configMaps, "experiment"); err != nil {
		return err
	}
	return repo.moved(ctx, before)
}

// load reads the manifests, and sets the URL of the repository.
func load(folder string) (kubescribe.Rules, error) {
	fsys, err := fs.Sub(manifests, "manifests")
	if err != nil {
		return kubescribe.Rules{}, err
	}
	config, err := manifest.Load(fsys)
	if err != nil {
		return kubescribe.Rules{}, err
	}
	for i := range config.Repositories {
		config.Repositories[i].URL = "file://" + folder
	}
	return kubescribe.Rules{
		Repositories:   config.Repositories,
		Destinations:   config.Destinations,
		Rules:          config.Rules,
		Orphans:        config.Orphans,
		Layouts:        config.Layouts,
		Kustomizations: config.Kustomizations,
	}, nil
}
