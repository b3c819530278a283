package txotel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/txotel"
)

// traced opens the store that a file would describe, on that server or else in
// memory, and returns where its spans arrive.
func traced(t *testing.T, server *redistest.Server, attributes ...attribute.KeyValue) (*txcache.Store, *tracetest.InMemoryExporter, trace.Tracer) {
	t.Helper()
	cfg := config.Default()
	if server != nil {
		cfg.Class, cfg.Redis.URI = "redis", server.URI()
	}
	b, opts, err := txcache.FromConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	opts.Trace = txotel.Trace(provider, attributes...)
	store, err := txcache.New(b, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = store.Close() // with an error where a test leaves the server down
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return store, exporter, provider.Tracer("test")
}

// tree returns the spans, each below the one that it is within, in the order in
// which they began: name, kind and attributes, and the status of what failed.
func tree(spans tracetest.SpanStubs) []string {
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	var lines []string
	var walk func(parent trace.SpanID, indent string)
	walk = func(parent trace.SpanID, indent string) {
		for _, s := range spans {
			if s.Parent.SpanID() != parent {
				continue
			}
			line := indent + s.Name + " " + s.SpanKind.String()
			for _, a := range s.Attributes {
				line += fmt.Sprintf(" %s=%s", a.Key, a.Value.String())
			}
			if s.Status.Code == codes.Error {
				line += fmt.Sprintf(" (failed, %d recorded)", len(s.Events))
			}
			lines = append(lines, line)
			walk(s.SpanContext.SpanID(), indent+"  ")
		}
	}
	walk(trace.SpanID{}, "")
	return lines
}

func expect(t *testing.T, exporter *tracetest.InMemoryExporter, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, tree(exporter.GetSpans())); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	exporter.Reset()
}

func TestSpansOfACommitThatClears(t *testing.T) {
	store, exporter, tracer := traced(t, redistest.Start(t), attribute.String("db.system.name", "redis"))
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	tx, err := store.Begin(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Clear(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.CommitWith(t.Context(), func(ctx context.Context) error {
		_, span := tracer.Start(ctx, "COMMIT") // as the driver of a database does
		span.End()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	expect(t, exporter,
		"txcache.begin client db.system.name=redis db.namespace=shop",
		"txcache.commit internal db.system.name=redis db.namespace=shop",
		"  txcache.fence client db.system.name=redis db.namespace=shop",
		"  COMMIT internal",
		"  txcache.clear client db.system.name=redis db.namespace=shop",
	)
}

func TestSpansOfALoad(t *testing.T) {
	store, exporter, tracer := traced(t, redistest.Start(t))
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	ctx, request := tracer.Start(t.Context(), "request")
	if err := store.View(ctx, "shop", func(tx *txcache.Tx) error {
		_, err := users.LoadMany(ctx, tx, []int{1, 2}, func(ctx context.Context, keys []int) (map[int]string, error) {
			_, span := tracer.Start(ctx, "SELECT")
			span.End()
			return map[int]string{1: "Ada", 2: "Grace"}, nil
		})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	request.End()
	expect(t, exporter,
		"request internal",
		"  txcache.begin client db.namespace=shop",
		"  txcache.get client db.namespace=shop txcache.cache=users txcache.keys=2",
		"  txcache.load internal db.namespace=shop txcache.cache=users txcache.keys=2",
		"    SELECT internal",
		"  txcache.set client db.namespace=shop txcache.keys=2",
	)
}

func TestSpansOfAnOutage(t *testing.T) {
	server := redistest.Start(t)
	store, exporter, _ := traced(t, server)
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	tx, err := store.Begin(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Clear(tx); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := tx.CommitWith(t.Context(), func(context.Context) error {
		t.Error("the database commit was run")
		return nil
	}); !errors.Is(err, txcache.ErrUnavailable) {
		t.Fatal(err)
	}
	tx, err = store.Begin(t.Context(), "shop") // without a state
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	spans := exporter.GetSpans()
	for i := range spans { // what the cause is called depends on when the connection was found to be gone
		for j, a := range spans[i].Attributes {
			if a.Key == "error.type" && a.Value.AsString() != "" {
				spans[i].Attributes[j].Value = attribute.StringValue("…")
			}
		}
	}
	if diff := cmp.Diff([]string{
		"txcache.begin client db.namespace=shop",
		"txcache.commit internal db.namespace=shop error.type=… (failed, 0 recorded)",
		"  txcache.fence client db.namespace=shop error.type=… (failed, 1 recorded)",
		"txcache.begin client db.namespace=shop error.type=… (failed, 1 recorded)",
	}, tree(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

func TestErrorsOfTheProgramShowNothing(t *testing.T) {
	const secret = "duplicate key (email)=(ada@example.com)"
	store, exporter, _ := traced(t, nil)
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	failure := fmt.Errorf("insert: %w", errors.New(secret))
	tx, err := store.Begin(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Load(t.Context(), tx, 1, func(context.Context) (string, error) { return "", failure }); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if err := users.Clear(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.CommitWith(t.Context(), func(context.Context) error { return txcache.NotCommitted(failure) }); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	spans := exporter.GetSpans()
	if text := fmt.Sprintf("%+v", spans); strings.Contains(text, "ada@") {
		t.Errorf("a span shows the error's text: %s", text)
	}
	expect(t, exporter,
		"txcache.begin client db.namespace=shop",
		"txcache.load internal db.namespace=shop txcache.cache=users txcache.keys=1 error.type=*errors.errorString (failed, 0 recorded)",
		"txcache.commit internal db.namespace=shop error.type=*errors.errorString (failed, 0 recorded)",
		"  txcache.fence client db.namespace=shop",
		"  txcache.clear client db.namespace=shop",
	)
}

func TestAbsenceIsNoError(t *testing.T) {
	store, exporter, _ := traced(t, nil)
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	if err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		_, err := users.Load(t.Context(), tx, 1, func(context.Context) (string, error) { return "", txcache.ErrAbsent })
		return err
	}); !errors.Is(err, txcache.ErrAbsent) {
		t.Fatal(err)
	}
	expect(t, exporter,
		"txcache.begin client db.namespace=shop",
		"txcache.load internal db.namespace=shop txcache.cache=users txcache.keys=1",
	)
}

// The words of error.type are few, and say what happened.
func TestTypesOfErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for want, err := range map[string]error{
		"canceled":            fmt.Errorf("%w: %w", txcache.ErrUnavailable, canceled.Err()),
		"timeout":             fmt.Errorf("%w: %w", txcache.ErrUnavailable, context.DeadlineExceeded),
		"in_doubt":            fmt.Errorf("commit: %w", txcache.ErrInDoubt),
		"unavailable":         fmt.Errorf("%w: no route", txcache.ErrUnavailable),
		"closed":              txcache.ErrClosed,
		"*errors.errorString": fmt.Errorf("a: %w", fmt.Errorf("b: %w", errors.New("c"))),
	} {
		exporter := tracetest.NewInMemoryExporter()
		_, end := txotel.Trace(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)))(t.Context(), txcache.Operation{Name: "drop", Database: "shop"})
		end(err)
		expect(t, exporter, "txcache.drop client db.namespace=shop error.type="+want+" (failed, 1 recorded)")
	}
}

func TestAStoreWorksWithTheGlobalProvider(t *testing.T) {
	store, err := txcache.New(memorybackend.New(), &txcache.Options{Trace: txotel.Trace(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Update(t.Context(), "shop", (*txcache.Tx).ClearAll); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
