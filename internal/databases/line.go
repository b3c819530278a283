package databases

// A place says in which line a database is.
type place uint8

const (
	nowhere place = iota
	fresh
	kept
)

// A line is databases in the order in which they were added. The budget's mu guards it.
type line struct {
	place       place // of those in it
	first, last *Database
	len         int
}

// add adds a database that is in no line.
func (l *line) add(db *Database) {
	db.place, db.before, db.after = l.place, l.last, nil
	if l.last == nil {
		l.first = db
	} else {
		l.last.after = db
	}
	l.last = db
	l.len++
}

func (l *line) remove(db *Database) {
	if db.before == nil {
		l.first = db.after
	} else {
		db.before.after = db.after
	}
	if db.after == nil {
		l.last = db.before
	} else {
		db.after.before = db.before
	}
	db.place, db.before, db.after = nowhere, nil, nil
	l.len--
}
