package gogit_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
)

// gitHubApp gets the tokens of an installation of a GitHub App, which are valid for an hour, and
// keeps one until shortly before its end. See "Authenticating as a GitHub App installation" in
// GitHub's documentation.
type gitHubApp struct {
	api          string // https://api.github.com, or https://HOST/api/v3
	id           string // of the App
	installation string
	key          *rsa.PrivateKey

	mu      sync.Mutex // guards what follows
	token   string
	expires time.Time // by GitHub's clock
	// By ours, which may have been set since: what has passed is counted all the same.
	fetched time.Time
}

// auth is for gogit.Options.Auth.
func (a *gitHubApp) auth(ctx context.Context, _ destination.Destination) (gogit.Auth, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Until(a.expires) < 5*time.Minute || time.Since(a.fetched) > 55*time.Minute {
		if err := a.refresh(ctx); err != nil {
			return gogit.Auth{}, fmt.Errorf("token of GitHub App %s: %w", a.id, err)
		}
	}
	return gogit.Auth{Username: "x-access-token", Password: a.token}, nil
}

func (a *gitHubApp) refresh(ctx context.Context) error {
	claim, err := a.jwt(time.Now())
	if err != nil {
		return err
	}
	url := a.api + "/app/installations/" + a.installation + "/access_tokens"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+claim)
	req.Header.Set("Accept", "application/vnd.github+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("HTTP status %s", resp.Status)
	}
	answer := struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	a.token, a.expires, a.fetched = answer.Token, answer.ExpiresAt, time.Now()
	return nil
}

// jwt is what the App shows for itself (RFC 7519, RS256), for at most ten minutes.
func (a *gitHubApp) jwt(now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{"iss": a.id, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(9 * time.Minute).Unix()})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, digest[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// Auth is asked for each connection, so tokens that live for an hour work: here those of a GitHub
// App.
func ExampleOptions() {
	// In place of GitHub's.
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"token": "ghs_1", "expires_at": %q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer api.Close()
	// Read it from the Secret with x509.ParsePKCS1PrivateKey.
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		fmt.Println(err)
		return
	}
	app := &gitHubApp{api: api.URL, id: "12345", installation: "67890", key: key}
	sink := gogit.New(&gogit.Options{Auth: app.auth})
	defer func() { _ = sink.Close() }()

	for range 2 { // as two connections do
		auth, err := app.auth(context.Background(), destination.Destination{})
		fmt.Println(auth.Username, auth.Password, err)
	}
	// Output:
	// POST /app/installations/67890/access_tokens
	// x-access-token ghs_1 <nil>
	// x-access-token ghs_1 <nil>
}
