package typestest

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	gofrs "github.com/gofrs/uuid/v5"
	"github.com/golang-sql/civil"
	"github.com/google/uuid"
	gnull "github.com/guregu/null/v6"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/oapi-codegen/runtime/types"
	"github.com/oklog/ulid/v2"
	"github.com/samber/mo"
	"github.com/shopspring/decimal"
	vnull "github.com/volatiletech/null/v8"
	"golang.org/x/text/language"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

//lint:file-ignore U1000 reflection looks at fields

// A status is an enum as enumer generates it: 0 is none of its values.
type status int

const (
	open status = iota + 1
	shut
)

func (s status) String() string {
	if s < open || s > shut {
		return fmt.Sprintf("status(%d)", int(s))
	}
	return [...]string{"open", "shut"}[s-1]
}

func (s status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *status) UnmarshalText(text []byte) error {
	for _, v := range []status{open, shut} {
		if v.String() == string(text) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("%q is no status", text)
}

type (
	deletedAt sql.NullTime // as gorm has it
	model     struct {
		ID        uint
		CreatedAt time.Time
		DeletedAt deletedAt
	}
	user struct {
		model
		Name   string
		Status status
		Note   gnull.String
	}
	stamped struct {
		time.Time
		Valid bool
	}
	money struct {
		decimal.Decimal
		Currency string
	}
	owned struct {
		uuid.UUID
		Owner *string
	}
	tree[K comparable, V any] struct {
		Key         K
		Val         V
		Left, Right *tree[K, V]
	}
	page[T any] struct {
		Items []T
		Next  *T
	}
	date   time.Time
	client struct {
		Name string
		HTTP *http.Client
		Hook func()
	}
	entity struct {
		ID     int
		config struct{ driver any }
	}
)

var (
	tokyo   = time.FixedZone("JST", 9*3600)
	instant = time.Date(2026, 3, 1, 2, 0, 0, 123456789, time.UTC)
	some    = "some"
)

func kinds(t *testing.T) []kind {
	id := uuid.MustParse("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
	dec := decimal.RequireFromString("12345678901234567890.1234567890123456789")
	long, _, err := big.ParseFloat("123456789012345678901234567890.123456789", 10, 300, big.ToNearestEven)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := new(big.Int).SetString("-340282366920938463463374607431768211457", 10)
	coefficient, _, err := apd.NewFromString("123456789012345678901234567890.10")
	if err != nil {
		t.Fatal(err)
	}
	location, err := url.Parse("https://u:p%40@h:8080/a%2Fb?q=1#f")
	if err != nil {
		t.Fatal(err)
	}
	fields, err := structpb.NewStruct(map[string]any{"a": 1.5})
	if err != nil {
		t.Fatal(err)
	}
	expression := regexp.MustCompile(`a+(b)`)
	longest := regexp.MustCompile(`a+|b`)
	longest.Longest()
	return []kind{
		// null or not
		shared(sql.NullString{}, sql.NullString{Valid: true}, sql.NullString{String: "x", Valid: true}),
		shared(sql.NullInt64{}, sql.NullInt64{Valid: true}), shared(sql.NullBool{}, sql.NullBool{Valid: true}),
		shared(sql.NullTime{}, sql.NullTime{Time: instant.In(tokyo), Valid: true}),
		shared(sql.Null[string]{}, sql.Null[string]{Valid: true}), shared(sql.RawBytes(nil), sql.RawBytes{}),
		shared(gnull.String{}, gnull.StringFrom(""), gnull.StringFrom("x")), shared(gnull.Int{}, gnull.IntFrom(0)), shared(gnull.Float{}, gnull.FloatFrom(0)),
		shared(gnull.Bool{}, gnull.BoolFrom(false)), shared(gnull.Time{}, gnull.TimeFrom(instant.In(tokyo))), shared(gnull.Value[[]int]{}, gnull.ValueFrom([]int{})),
		shared(vnull.String{}, vnull.StringFrom(""), vnull.StringFrom("x")), shared(vnull.Int64{}, vnull.Int64From(0)), shared(vnull.Bool{}, vnull.BoolFrom(false)),
		shared(vnull.Bytes{}, vnull.NewBytes([]byte{}, true)), shared(vnull.JSON{}, vnull.JSONFrom([]byte("{}"))), shared(vnull.Time{}, vnull.TimeFrom(instant)),
		shared(uuid.NullUUID{}, uuid.NullUUID{UUID: id, Valid: true}, uuid.NullUUID{Valid: true}), shared(gofrs.NullUUID{}, gofrs.NullUUID{Valid: true}),
		shared(decimal.NullDecimal{Decimal: dec, Valid: true}), shared(pgtype.Text{}, pgtype.Text{Valid: true}), shared(pgtype.Timestamptz{}, pgtype.Timestamptz{Time: instant.In(tokyo), Valid: true}),
		shared(pgtype.Numeric{}, pgtype.Numeric{Int: n, Exp: -3, Valid: true}, pgtype.Numeric{NaN: true, Valid: true}), shared(pgtype.Range[pgtype.Int4]{}, pgtype.Range[pgtype.Int4]{Lower: pgtype.Int4{Int32: 1, Valid: true}, LowerType: pgtype.Inclusive, Valid: true}),
		shared(mo.None[int](), mo.Some(0), mo.Some(5)), shared(mo.Some("")),

		// identifiers and enums
		shared(uuid.Nil, id), shared(gofrs.Nil, gofrs.FromStringOrNil(id.String())), shared(ulid.ULID{}, ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV")),
		shared(types.UUID{}, types.UUID(id)), shared(types.Email("not one")), shared(status(0), open, shut, -1), shared(map[status]status{0: open, shut: 0}),
		shared(language.MustParse("de-CH")),

		// numbers
		shared(n, new(big.Int), nil), shared(*big.NewRat(1, 3)), shared(long, new(big.Float), nil), shared(json.Number("1e400"), json.Number("")),
		shared(dec, decimal.New(100, -2)), sharedBy(decimal.Decimal.Equal, decimal.Decimal{}, decimal.Zero, dec), shared(coefficient, apd.New(-5, 3)),
		sharedBy(func(a, b apd.Decimal) bool { return a.Cmp(&b) == 0 }, apd.Decimal{}), shared(math.Inf(-1)), shared(complex(1, -2)),

		// times
		shared(instant, instant.In(tokyo), time.Time{}, time.Time{}.In(tokyo), instant.Local()), shared(date(instant.In(tokyo))), shared(types.Date{Time: instant}),
		shared(civil.DateOf(instant), civil.Date{}), shared(civil.DateTimeOf(instant)), shared(time.Duration(math.MinInt64)), shared(time.March), shared(time.Saturday),
		shared(map[time.Time]int{instant: 1, {}: 2}), kept(map[time.Time]int{instant.In(tokyo): 1}),

		// addresses
		shared(netip.Addr{}, netip.MustParseAddr("::ffff:1.2.3.4"), netip.MustParseAddr("fe80::1%eth0")), shared(netip.AddrPort{}, netip.MustParseAddrPort("1.2.3.4:5")),
		shared(netip.Prefix{}, netip.MustParsePrefix("10.0.0.0/8"), netip.PrefixFrom(netip.MustParseAddr("1.2.3.4"), 99)), shared(net.IP(nil), net.IP{}, net.ParseIP("1.2.3.4"), net.IP{1, 2, 3, 4}),
		shared(net.IPNet{IP: net.IP{10, 0, 0, 0}, Mask: net.CIDRMask(8, 32)}), shared(net.HardwareAddr{1, 2}), shared(location, &url.URL{Path: "a b"}, nil), shared(url.Values{"a": {"", "b"}, "c": nil}),
		shared(mail.Address{Name: "A", Address: "a@b"}), shared(http.Header{"A": {"b"}}), shared(http.Cookie{Name: "a", Expires: instant}),

		// documents
		shared(json.RawMessage(nil), json.RawMessage{}, json.RawMessage("{")), shared(map[string]any{"a": []any{1, nil, int8(1), instant.In(tokyo)}}), shared(types.File{}),
		kept(structpb.NewStringValue("x"), nil), kept(fields), kept(timestamppb.New(instant)), kept(durationpb.New(time.Second)),
		shared(expression), kept(longest),

		// shapes of one's own
		shared(user{model{1, instant.In(tokyo), deletedAt{}}, "n", 0, gnull.StringFrom("")}), shared(stamped{instant.In(tokyo), true}), shared(money{dec, "EUR"}), shared(owned{id, &some}),
		shared(tree[string, []int]{"a", []int{1}, &tree[string, []int]{Key: "b"}, nil}), shared(page[gnull.Int]{}, page[gnull.Int]{Items: []gnull.Int{{}}, Next: &gnull.Int{}}),
		kept(client{}, client{Name: "x"}), kept(entity{ID: 1}), kept(make(chan int)), kept[error](fmt.Errorf("x")), kept[any](id, status(1), dec, &some, json.Number("1")),
	}
}

// What comes back is what was set, or it is not shared, and that is said once.
func TestWhatComesBackIsWhatWasSet(t *testing.T) {
	all := kinds(t)
	if len(all) < 80 {
		t.Fatalf("only %d types", len(all))
	}
	for _, w := range worlds(t) {
		t.Run(w.name, func(t *testing.T) {
			for i, k := range all {
				t.Run(k.name, func(t *testing.T) { k.run(t, w, fmt.Sprint("cache", i)) })
			}
		})
	}
}
