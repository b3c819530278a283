package codec

import "reflect"

type mapCoder struct {
	typ       reflect.Type
	key, elem *plan
}

func (c *compiler) compileMap(p *plan, t reflect.Type) {
	p.nilable = true
	c.describe("map[")
	k := planKey{typ: t.Key()}
	key := c.compileAt("[key]", k)
	if c.pointsOut(k) {
		c.fail("a map key with a pointer in it would come back as another key")
	}
	c.describe("]")
	elem := c.compileAt("[]", planKey{typ: t.Elem()})
	p.coder = &mapCoder{t, key, elem}
}

func (c *mapCoder) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		return e.pack.EncodeNil()
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	if err := e.pack.EncodeMapLen(v.Len()); err != nil {
		return err
	}
	base := len(e.entries)
	key, elem := reflect.New(c.typ.Key()).Elem(), reflect.New(c.typ.Elem()).Elem()
	for iter := v.MapRange(); iter.Next(); {
		n := mapEntry{key: len(e.out)}
		key.SetIterKey(iter)
		e.keys++
		if err := c.key.encode(e, key); err != nil {
			return err
		}
		e.keys--
		n.value = len(e.out)
		elem.SetIterValue(iter)
		if err := c.elem.encode(e, elem); err != nil {
			return err
		}
		n.end = len(e.out)
		e.entries = append(e.entries, n)
	}
	if !e.sortEntries(base) {
		return unsupported("two keys of a %s are encoded alike", c.typ)
	}
	e.entries = e.entries[:base]
	return nil
}

func (c *mapCoder) decode(d *decoder, v reflect.Value) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	n, err := d.mapLen()
	if err != nil {
		return err
	}
	if err := d.reserve(n, c.key.min+c.elem.min); err != nil {
		return err
	}
	v.Set(reflect.MakeMapWithSize(c.typ, n))
	key, elem := reflect.New(c.typ.Key()).Elem(), reflect.New(c.typ.Elem()).Elem()
	for i := range n {
		d.unreserve(c.key.min)
		key.SetZero()
		if err := c.key.decode(d, key); err != nil {
			return err
		}
		// An interface in it may hold anything.
		if !key.Comparable() {
			return malformed("a key that cannot be one")
		}
		d.unreserve(c.elem.min)
		elem.SetZero()
		if err := c.elem.decode(d, elem); err != nil {
			return err
		}
		v.SetMapIndex(key, elem)
		if v.Len() != i+1 {
			return malformed("a key is there twice")
		}
	}
	return nil
}
