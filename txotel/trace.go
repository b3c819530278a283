package txotel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-dad15c92/txcache"
)

// scope is the name of the instrumentation.
const scope = "github.com/seed-dad15c92/txcache/txotel"

// Trace returns a function for [txcache.Options.Trace] that makes a span of each
// operation, named for it: txcache.begin, txcache.commit and so on. It is safe
// for concurrent use. A nil tp is the global TracerProvider.
//
// The kind of a span is internal for commit and load, which run functions of the
// program, and client for the others, which call the backend. Its attributes are
//
//	db.namespace   the database that the transaction is of
//	txcache.cache  the cache, if the operation concerns one
//	txcache.keys   the number of keys or values, if there are any
//	error.type     what kind of error it was, if it failed
//
// and those that are given, such as db.system.name.
//
// A span that failed has the status Error. That of a call of the backend records
// the error too. The text of errors from a loader or a database's commit is left
// to the program to record: it may show values. No span names a key or a value.
//
// A background clear is not within the span of the commit that it belongs to.
func Trace(tp trace.TracerProvider, attributes ...attribute.KeyValue) func(context.Context, txcache.Operation) (context.Context, func(error)) {
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	tracer := tp.Tracer(scope)
	return func(ctx context.Context, op txcache.Operation) (context.Context, func(error)) {
		kind := trace.SpanKindClient
		private := op.Name == "commit" || op.Name == "load"
		if private {
			kind = trace.SpanKindInternal
		}
		ctx, span := tracer.Start(ctx, "txcache."+op.Name, trace.WithSpanKind(kind))
		if span.IsRecording() {
			span.SetAttributes(attributes...)
			span.SetAttributes(attribute.String("db.namespace", op.Database))
			if op.Cache != "" {
				span.SetAttributes(attribute.String("txcache.cache", op.Cache))
			}
			if op.Keys > 0 {
				span.SetAttributes(attribute.Int("txcache.keys", op.Keys))
			}
		}
		return ctx, func(err error) {
			if err != nil && span.IsRecording() {
				fail(span, err, private)
			}
			span.End()
		}
	}
}

// fail marks a span as failed. The text of a private error is not shown.
func fail(span trace.Span, err error, private bool) {
	kind := kindOf(err)
	span.SetAttributes(attribute.String("error.type", kind))
	if private {
		span.SetStatus(codes.Error, kind)
		return
	}
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
}

// kindOf returns a word for err, of which there are few.
func kindOf(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, txcache.ErrInDoubt):
		return "in_doubt"
	case errors.Is(err, txcache.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, txcache.ErrClosed):
		return "closed"
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Sprintf("%T", err)
		}
		err = inner
	}
}
