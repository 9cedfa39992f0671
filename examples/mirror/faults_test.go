//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// fault is something that goes wrong for real, with the alerts that fire then and no others.
type fault struct {
	early, end []string // at these minutes of the recording
	record     func(t *testing.T) recording
	// rules changes the rules for a fault that would take longer than a test may. Default: they
	// are as they are.
	rules func(t *testing.T, r *rulesFile) *rulesFile
}

// fixed is a fault after which nothing moves.
func fixed(s scrape) recording { return recording{before: s, after: s} }

// listens starts the program and returns what answers its scrapes.
func (f *fixture) listens(args ...string) (*child, exporter) {
	f.t.Helper()
	c := f.start(append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	url := "http://" + c.says(`msg=listening address=(\S+)`) + "/metrics"
	return c, func() string {
		code, body := get(f.t, url)
		require.Equal(f.t, http.StatusOK, code)
		return body
	}
}

// follows starts the program with a ConfigMap and waits until that is written.
func follows(t *testing.T, manifests string) (*fixture, *child, exporter) {
	f := newFixture(t, nil)
	f.manifests(manifests)
	f.configMap("a", "one")
	c, metrics := f.listens()
	c.says(`msg="in sync"`)
	return f, c, metrics
}

// ill returns a recording of a program that is not ready for a reason from its start on.
func ill(reason string, prepare func(*testing.T) *fixture) func(*testing.T) recording {
	return func(t *testing.T) recording {
		_, metrics := prepare(t).listens()
		return fixed(metrics.reason(t, reason))
	}
}

func withManifests(t *testing.T, text string) *fixture {
	f := newFixture(t, nil)
	f.manifests(text)
	f.configMap("a", "one")
	return f
}

// once writes what there is, before a fault.
func (f *fixture) once(args ...string) *fixture {
	f.t.Helper()
	code, _, stderr := f.run(append([]string{"--once"}, args...)...)
	require.Equal(f.t, exitDone, code, stderr)
	return f
}

// fails has the API server refuse requests for ConfigMaps until it is mended.
func (f *fixture) fails(verb string, err error) (mend func()) {
	return f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == verb && r.Resource == configMaps {
			return &clustertest.Fault{Error: err}
		}
		return nil
	})
}

// healthy is a run in which changes come and are written, some after a wait for their turn.
func healthy(t *testing.T) recording {
	f, _, metrics := follows(t, strings.Replace(good, `spec: {repoURL: "$REPO",`, `spec: {repoURL: "$REPO", push: {interval: 300ms},`, 1))
	changes, done := 0, 0.0
	change := func() scrape {
		changes++
		f.configMap("a", fmt.Sprint(changes))
		s := metrics.until(t, func(s scrape) bool { return s.sum("kubescribe_lag_seconds_count", `listed="false"`) > done })
		done = s.sum("kubescribe_lag_seconds_count", `listed="false"`)
		return s
	}
	before := change()
	for before.sum("kubescribe_git_ratelimit_wait_seconds_count") == 0 {
		before = change()
	}
	change()
	return recording{before: before, after: metrics.until(t, func(s scrape) bool {
		return s.sum("kubescribe_destinations", `reason="InSync"`) == 1 && s.sum("kubescribe_queue_in_hand") == 0
	})}
}

// faults are those of the program.
var faults = map[string]fault{
	"the server of the repository is down": {
		end: []string{"KubescribeRemoteUnavailable", "KubescribeChangesWait", "KubescribeNotReady"},
		record: func(t *testing.T) recording {
			f, _, metrics := follows(t, good)
			f.git.Down()
			f.configMap("a", "two")
			metrics.reason(t, "ServerUnavailable")
			return ages(t, metrics, "kubescribe_queue_oldest_seconds", metrics.until(t, func(s scrape) bool {
				return s.sum("kubescribe_queue_oldest_seconds") > 0 // the change is not in hand
			}))
		},
	},
	"a push hangs while changes come": {
		end: []string{"KubescribeChangesWait"},
		record: func(t *testing.T) recording {
			f, _, metrics := follows(t, good)
			f.git.Intercept(func(r gitservertest.Request) gitservertest.Fault {
				return gitservertest.Fault{Hold: t.Context().Done()}
			})
			f.configMap("a", "two")
			metrics.until(t, func(s scrape) bool { return s.sum("kubescribe_queue_in_hand") > 0 })
			f.configMap("b", "one")
			return ages(t, metrics, "kubescribe_queue_oldest_seconds", metrics.until(t, func(s scrape) bool {
				return s.sum("kubescribe_queue_oldest_seconds") > 0
			}))
		},
	},
	"the server is slow": {
		end:    []string{"KubescribeLagHigh"},
		record: slow,
		// Seconds stand for minutes.
		rules: func(t *testing.T, r *rulesFile) *rulesFile { return r.with(t, "KubescribeLagHigh", "> 300", "> 1") },
	},
	"the password is wrong": {
		early: []string{"KubescribeCredentialsRefused"}, end: []string{"KubescribeCredentialsRefused", "KubescribeNotReady"},
		record: ill("Unauthorized", func(t *testing.T) *fixture {
			f := withCredentials(t)
			f.secret("wr0ng-word")
			return f
		}),
	},
	"the Secret is not there": {
		early: []string{"KubescribeCredentialsRefused"}, end: []string{"KubescribeCredentialsRefused", "KubescribeNotReady"},
		record: ill("CredentialsMissing", withCredentials),
	},
	"the branch is protected": {
		early: []string{"KubescribePushRefused"}, end: []string{"KubescribePushRefused", "KubescribeNotReady"},
		record: ill("BranchProtected", func(t *testing.T) *fixture {
			f := withManifests(t, good)
			f.repo.Protect("main", "Changes must be made through a pull request.")
			return f
		}),
	},
	"a hook refuses the push": {
		early: []string{"KubescribePushRefused"}, end: []string{"KubescribePushRefused", "KubescribeNotReady"},
		record: ill("PushRejected", func(t *testing.T) *fixture {
			f := withManifests(t, good)
			f.repo.Hook("pre-receive", "echo no ticket in the message; exit 1")
			return f
		}),
	},
	"the repository is not there": {
		end: []string{"KubescribeDestinationFaulty", "KubescribeNotReady"},
		record: ill("RepositoryNotFound", func(t *testing.T) *fixture {
			return withManifests(t, strings.Replace(good, "$REPO", "$REPO-of-nobody.git", 1))
		}),
	},
	"another cluster owns the folder": {
		end: []string{"KubescribeDestinationFaulty", "KubescribeNotReady"},
		record: ill("FolderOwned", func(t *testing.T) *fixture {
			return withManifests(t, good).once("--cluster-id", "another")
		}),
	},
	"eleven ConfigMaps are deleted at once": {
		end: []string{"KubescribeDeletionsHeld", "KubescribeNotReady"},
		record: ill("DeletionsHeld", func(t *testing.T) *fixture {
			f := withManifests(t, good)
			for i := range 11 {
				f.configMap(fmt.Sprint("cm-", i), "one")
			}
			f.once()
			for i := range 11 {
				require.NoError(t, f.cluster.Delete(configMaps, "default", fmt.Sprint("cm-", i)))
			}
			return f
		}),
	},
	"the folder has files of somebody else": {
		end: []string{"KubescribeFolderNotAdopted", "KubescribeNotReady"},
		record: ill("FolderNotAdopted", func(t *testing.T) *fixture {
			f := withManifests(t, good)
			f.repo.Commit("main", map[string]gitservertest.File{"clusters/prod/default/configmaps/theirs.yaml": {Content: "x: 1\n"}}, "Theirs")
			return f
		}),
	},
	"a folder below has an owner of its own": {
		end: []string{"KubescribeFolderExcluded", "KubescribeNotReady"},
		record: ill("FolderExcluded", func(t *testing.T) *fixture {
			f := withManifests(t, good).once()
			f.repo.Commit("main", map[string]gitservertest.File{"clusters/prod/default/.kubescribe": {Content: "source: theirs\n"}}, "Theirs")
			return f
		}),
	},
	"a Secret without an encryptor": {
		end: []string{"KubescribeObjectsLeftOut", "KubescribeNotReady"},
		record: ill("ObjectsLeftOut", func(t *testing.T) *fixture {
			f := withManifests(t, strings.Replace(good, "[configmaps]", "[secrets]", 1))
			f.secret("s3cret-word")
			return f
		}),
	},
	"a type with a typo": {
		end: []string{"KubescribeTypeNotRead", "KubescribeNotReady"},
		record: ill("TypeNotServed", func(t *testing.T) *fixture {
			return withManifests(t, strings.Replace(good, "[configmaps]", "[configmaps, widgets]", 1))
		}),
	},
	"a type is forbidden": {
		end: []string{"KubescribeTypeNotRead", "KubescribeNotReady"},
		record: ill("Forbidden", func(t *testing.T) *fixture {
			f := withManifests(t, strings.Replace(good, "[configmaps]", "[configmaps, services]", 1))
			f.fails("list", apierrors.NewForbidden(configMaps.GroupResource(), "", errors.New("no right to list")))
			return f
		}),
	},
	"a type cannot be listed": {
		end: []string{"KubescribeTypeNotRead", "KubescribeNotReady"},
		record: ill("ListingFailed", func(t *testing.T) *fixture {
			f := withManifests(t, strings.Replace(good, "[configmaps]", "[configmaps, services]", 1))
			f.fails("list", apierrors.NewInternalError(errors.New("etcd is ill")))
			return f
		}),
	},
	"the API server is gone": {
		end: []string{"KubescribeClusterNotFollowed", "KubescribeNotReady"},
		record: func(t *testing.T) recording {
			f, _, metrics := follows(t, good)
			f.cluster.Close()
			return fixed(metrics.until(t, func(s scrape) bool {
				return s.sum("kubescribe_source_collections", `state="failing"`) == 1 && s.sum("kubescribe_destinations", `reason="NotFollowed"`) == 1
			}))
		},
	},
	"watches fail again and again": {
		end:    []string{"KubescribeClusterNotFollowed"},
		record: unwatched,
	},
	"discovery does not answer": {
		end:    []string{"KubescribeStuck"},
		record: undiscovered,
	},
	"no replica leads": {
		end: []string{"KubescribeAbsent"},
		record: func(t *testing.T) recording {
			f := withManifests(t, good)
			asked := make(chan struct{}, 1)
			f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
				if r.Resource.Resource != "leases" {
					return nil
				}
				select {
				case asked <- struct{}{}:
				default:
				}
				return &clustertest.Fault{Error: apierrors.NewForbidden(r.Resource.GroupResource(), "", errors.New("no right"))}
			})
			_, metrics := f.listens("--leader-elect")
			<-asked
			return fixed(metrics.until(t, func(scrape) bool { return true }))
		},
	},
}

// ages returns a recording in which the age of something grows.
func ages(t *testing.T, metrics exporter, name string, before scrape) recording {
	t.Helper()
	after := metrics.until(t, func(s scrape) bool { return s.sum(name) > before.sum(name)+0.5 })
	return recording{before: before, after: after, grows: []string{name}}
}

// slow is a run in which each push takes a second longer.
func slow(t *testing.T) recording {
	f, _, metrics := follows(t, good)
	f.git.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC {
			return gitservertest.Fault{Delay: 1100e6}
		}
		return gitservertest.Fault{}
	})
	landed := func(n float64) scrape {
		f.configMap("a", fmt.Sprint(n))
		return metrics.until(t, func(s scrape) bool {
			return s.sum("kubescribe_lag_seconds_count", `listed="false"`) >= n && s.sum("kubescribe_destinations", `reason="InSync"`) == 1
		})
	}
	return recording{before: landed(1), after: landed(2)}
}

// undiscovered is a run in which the rules change and discovery hangs, so that the loop which would
// follow them has not turned since. It turns at once otherwise.
func undiscovered(t *testing.T) recording {
	const age = "kubescribe_source_progress_seconds"
	f, c, metrics := follows(t, good)
	metrics.until(t, func(s scrape) bool { return s.sum(age) > 0.3 })
	f.manifests(strings.Replace(good, "[configmaps]", "[configmaps, services]", 1))
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGHUP))
	metrics.until(t, func(s scrape) bool { return s.sum(age) < 0.3 })

	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "discover" {
			return &clustertest.Fault{Hold: t.Context().Done()}
		}
		return nil
	})
	before := metrics.until(t, func(scrape) bool { return true })
	f.manifests(strings.Replace(good, "[configmaps]", "[serviceaccounts]", 1))
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, os.Remove(f.config+"/config.yaml")) // nothing else is to load them
	return ages(t, metrics, age, before)
}

// unwatched is a run in which a watch cannot be opened, twice, and is open again in the end.
func unwatched(t *testing.T) recording {
	f, _, metrics := follows(t, good)
	before := metrics.until(t, func(scrape) bool { return true })
	after := before
	for n := range 2 {
		mend := f.fails("watch", apierrors.NewInternalError(errors.New("etcd is ill")))
		f.cluster.CutWatches(configMaps.GroupResource())
		metrics.until(t, func(s scrape) bool {
			return s.sum("kubescribe_source_watch_restarts_total", `outcome="failed"`) > float64(n)
		})
		mend()
		after = metrics.until(t, func(s scrape) bool { return s.sum("kubescribe_source_collections", `state="followed"`) == 1 })
	}
	return recording{before: before, after: after}
}
