package databases

// A line is databases in the order in which they were added. The budget's mu guards it.
type line struct {
	first, last *Database
	len         int
}

// add adds a database that is in no line.
func (l *line) add(db *Database) {
	db.line, db.before, db.after = l, l.last, nil
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
	db.line, db.before, db.after = nil, nil, nil
	l.len--
}
