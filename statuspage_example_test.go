package kubescribe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
)

// A page about all destinations, at /kubescribe/ of the operator's own server. Whoever is signed in
// as an administrator may act on it.
func ExampleStatusHandler() {
	mirror, err := kubescribe.New(&rest.Config{Host: "https://cluster.example"}, nil)
	if err != nil {
		panic(err)
	}
	repo, prod := types.NamespacedName{Name: "repo"}, types.NamespacedName{Name: "prod"}
	if err := mirror.SetRules(kubescribe.Rules{
		Repositories: []destination.Repository{{Ref: repo, URL: "https://git.example/org/cluster.git"}},
		Destinations: []destination.Spec{{Ref: prod, RepositoryRef: repo, Branch: "main", BaseFolder: "clusters/prod"}},
	}); err != nil {
		panic(err)
	}
	page := kubescribe.StatusHandler(mirror, &kubescribe.StatusHandlerOptions{
		Title: "prod-eu-1",
		Allow: isAdministrator,
	})
	mux := http.NewServeMux()
	mux.Handle("/kubescribe/", page)
	server := httptest.NewServer(mux) // an operator has its own, behind a sign-in
	defer server.Close()

	answer, err := http.Get(server.URL + "/kubescribe/?state=notReady&format=json")
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	var status struct {
		NotReady     int `json:"notReady"`
		Destinations []struct{ Name, Reason, Message string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
		panic(err)
	}
	fmt.Println(status.NotReady, "not ready")
	for _, d := range status.Destinations {
		fmt.Printf("%s: %s, %s\n", d.Name, d.Reason, d.Message)
	}
	// Output:
	// 1 not ready
	// prod: NoRules, no rule sends objects here
}

// isAdministrator asks whatever the operator's sign-in is.
func isAdministrator(r *http.Request) bool { return r.Header.Get("X-Forwarded-User") == "admin" }
