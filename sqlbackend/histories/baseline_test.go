package histories_test

import (
	"context"
	"sync"
)

type baselines struct{}

func (*baselines) start(*history, *sync.WaitGroup)                {}
func (*baselines) wrote([]stored)                                 {}
func (*baselines) write(context.Context, queryer, int) error { return nil }
