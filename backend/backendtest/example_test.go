package backendtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
)

// Every rule in a bubble of its own, where minutes pass in no time.
func ExampleRules() {
	var t *testing.T // of the test that this is

	for _, rule := range backendtest.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fresh := newAuthority() // of the backend under test
				err := rule.Check(t.Context(), backendtest.Authority{
					Open:    func(context.Context) (backend.Backend, error) { return fresh.open(), nil },
					Lease:   time.Minute,
					Advance: time.Sleep,
				})
				if err != nil && !errors.Is(err, backendtest.ErrSkipped) {
					t.Error(err)
				}
			})
		})
	}
}
