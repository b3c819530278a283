package caches

import (
	"context"

	"github.com/redis/rueidis"
)

// Rueidis is rueidis with its defaults, which put the commands of concurrent
// callers into one pipeline; with or without its client-side cache, which the
// server invalidates.
func Rueidis[V any](clientSide bool) RemoteKind[V] {
	name := "rueidis, GET"
	if clientSide {
		name = "rueidis, client-side cache"
	}
	return RemoteKind[V]{name, func(addr string, _ int) (Remote[V], error) {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: !clientSide})
		return rueidisCache[V]{client, clientSide}, err
	}}
}

type rueidisCache[V any] struct {
	client     rueidis.Client
	clientSide bool
}

func (c rueidisCache[V]) Get(ctx context.Context, key string) (value V, ok bool, err error) {
	var r rueidis.RedisResult
	if get := c.client.B().Get().Key("rueidis:" + key); c.clientSide {
		r = c.client.DoCache(ctx, get.Cache(), lifetime)
	} else {
		r = c.client.Do(ctx, get.Build())
	}
	if err := r.Error(); rueidis.IsRedisNil(err) {
		return value, false, nil
	} else if err != nil {
		return value, false, err
	}
	if text, ok := any(&value).(*string); ok {
		*text, err = r.ToString()
		return value, err == nil, err
	}
	data, err := r.AsBytes()
	if err != nil {
		return value, false, err
	}
	value, err = decode[V](data)
	return value, err == nil, err
}

func (c rueidisCache[V]) SetMany(ctx context.Context, values map[string]V) error {
	commands := make(rueidis.Commands, 0, len(values))
	for key, value := range values {
		data, err := encode(value)
		if err != nil {
			return err
		}
		commands = append(commands, c.client.B().Set().Key("rueidis:"+key).Value(rueidis.BinaryString(data)).Ex(lifetime).Build())
	}
	for _, r := range c.client.DoMulti(ctx, commands...) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (c rueidisCache[V]) Close() { c.client.Close() }
