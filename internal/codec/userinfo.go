package codec

import (
	"net/url"
	"reflect"
)

var userinfoType = reflect.TypeFor[url.Userinfo]()

// A userinfoCoder takes what is before the host in a [url.URL], whose other
// fields are exported.
type userinfoCoder struct{}

func (userinfoCoder) encode(e *encoder, v reflect.Value) error {
	u := v.Addr().Interface().(*url.Userinfo)
	password, set := u.Password()
	if err := e.pack.EncodeArrayLen(3); err != nil {
		return err
	}
	if err := e.pack.EncodeString(u.Username()); err != nil {
		return err
	}
	if err := e.pack.EncodeString(password); err != nil {
		return err
	}
	return e.pack.EncodeBool(set)
}

func (userinfoCoder) decode(d *decoder, v reflect.Value) error {
	if err := d.arrayOf(3); err != nil {
		return err
	}
	name, err := d.str()
	if err != nil {
		return err
	}
	password, err := d.str()
	if err != nil {
		return err
	}
	set, err := d.bool()
	if err != nil {
		return err
	}
	u := url.User(string(name))
	if set {
		u = url.UserPassword(string(name), string(password))
	} else if len(password) > 0 {
		return malformed("found a password that is none")
	}
	v.Set(reflect.ValueOf(u).Elem())
	return nil
}
