package redisbackend

import "context"

// Entries calls visit with the place of every value of a cache, or of all caches
// of the database if cache is "": of all generations, those that are over
// included, and in no order. A value may be visited twice. It walks over the keys
// of the server. An error of visit ends the walk and is returned as it is.
func (b *Backend) Entries(ctx context.Context, database, cache string, visit func(*Entry) error) error {
	pattern := b.layout.pattern(database)
	if cache != "" {
		pattern = b.layout.prefix + ":" + escape(database) + ":" + escape(cache) + "@*"
	}
	return b.look(ctx, pattern, func(_ context.Context, keys []string) error {
		for _, key := range keys {
			if e, ok := b.layout.entry(key); ok {
				if err := visit(&e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
