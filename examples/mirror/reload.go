package main

import (
	"context"
	"hash/maphash"
	"io/fs"
	"os"
	"time"

	"github.com/kubescribe/kubescribe/ruleset"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// reloadInterval is how often the folder of manifests is looked at.
const reloadInterval = 5 * time.Second

var fingerprintSeed = maphash.MakeSeed()

// reload loads the manifests anew on each signal, and when a file of the folder has changed.
func (p *program) reload(ctx context.Context, hup <-chan os.Signal) {
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	known := fingerprint(p.config)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			known = fingerprint(p.config)
		case <-ticker.C:
			now := fingerprint(p.config)
			if now == known {
				continue
			}
			known = now
		}
		p.loadAnew()
	}
}

// loadAnew puts the manifests in force, unless they are faulty.
func (p *program) loadAnew() {
	m, err := p.check()
	if err != nil {
		p.log.Error(err, "the manifests are faulty: those from before stay in force")
		return
	}
	p.manifests.Store(m)
	if len(m.Encryption) > 0 && !p.encrypts {
		p.log.Info("spec.encryption counts from the next start on: until then Secrets are left out")
	}
	if err := p.mirror.SetRules(rulesOf(m)); err != nil { // check would have said so
		p.log.Error(m.Explain(err), "some of the manifests are faulty")
	}
	for ref, st := range p.mirror.Status().Destinations {
		if refusesCredentials(st) { // a Secret may be among what has changed
			_ = p.mirror.Wake(ref)
		}
	}
	p.log.Info("manifests loaded anew", "destinations", names(m), "rules", len(m.Rules))
}

// check loads the manifests and finds all that is wrong with them.
func (p *program) check() (*manifest.Config, error) {
	m, err := p.load()
	if err != nil {
		return nil, err
	}
	set, err := p.policy().Resolve(m.Repositories, m.Destinations)
	if err == nil {
		_, err = ruleset.Compile(set, m.Rules...)
	}
	if err != nil {
		return nil, m.Explain(err)
	}
	return m, unused(m)
}

// fingerprint is another one when any file of a folder is. Links are followed, as those of a
// mounted ConfigMap, which lead to another folder when it changes.
func fingerprint(folder string) uint64 {
	var h maphash.Hash
	h.SetSeed(fingerprintSeed)
	_ = fs.WalkDir(os.DirFS(folder), ".", func(path string, _ fs.DirEntry, err error) error {
		if info, statErr := os.Stat(folder + "/" + path); err == nil && statErr == nil && !info.IsDir() {
			maphash.WriteComparable(&h, path)
			maphash.WriteComparable(&h, info.Size())
			maphash.WriteComparable(&h, info.ModTime().UnixNano())
		}
		return nil
	})
	return h.Sum64()
}
