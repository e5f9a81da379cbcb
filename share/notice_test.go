package share_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"mulu"
	"mulu/share"
)

func TestNotices(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	before, _, err := f.pull(id)
	if err != nil {
		t.Fatal(err)
	}
	f.tick()
	landed := f.now
	var read []mulu.ReceiptID
	for range 2 {
		d, _, err := f.pull(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Notices) > 0 {
			t.Errorf("a notice before anything was withdrawn: %v", d.Notices)
		}
		read = append([]mulu.ReceiptID{d.Receipt}, read...)
	}
	w := mulu.Withdrawal{ID: "W-1", Dataset: "visit", Batch: mulu.BatchID{Topic: "t", First: 3, Last: 9}, Reason: "发错了", Landed: landed, At: f.now}

	t.Run("whoever read since is told once, and only of what it read", func(t *testing.T) {
		for range 2 {
			if n, err := f.Notify(t.Context(), w); err != nil || n != 1 {
				t.Fatalf("%d notices: %v", n, err)
			}
		}
		list, err := f.Notices(t.Context(), share.NoticeFilter{Org: street.Code, Unseen: true})
		if err != nil || len(list) != 1 {
			t.Fatalf("%d notices: %v", len(list), err)
		}
		n := list[0]
		if n.Grant != id || n.Reason != "发错了" || n.Batch != "t/0/3-9" || n.Reads != 2 || n.Rows != 6 || !reflect.DeepEqual(n.Receipts, read) || n.FirstRead.Before(landed) {
			t.Errorf("%+v, receipts want %v and not %v", n, read, before.Receipt)
		}
	})
	t.Run("a dataset the view does not use concerns nobody", func(t *testing.T) {
		other := w
		other.ID, other.Dataset = "W-2", "address"
		if n, err := f.Notify(t.Context(), other); err != nil || n != 0 {
			t.Errorf("%d notices: %v", n, err)
		}
	})
	t.Run("nobody read since", func(t *testing.T) {
		later := w
		later.ID, later.Landed = "W-3", f.now.Add(time.Hour)
		if n, err := f.Notify(t.Context(), later); err != nil || n != 0 {
			t.Errorf("%d notices: %v", n, err)
		}
	})
	t.Run("the next delivery names it until it is seen", func(t *testing.T) {
		list, err := f.Notices(t.Context(), share.NoticeFilter{})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		d, _, err := f.pull(id)
		if err != nil || !reflect.DeepEqual(d.Notices, []string{list[0].ID}) {
			t.Errorf("notices of the delivery: %v, %v", d.Notices, err)
		}
		if _, err := f.See(t.Context(), stranger, list[0].ID); !errors.Is(err, mulu.ErrDenied) {
			t.Errorf("another organisation sees it: %v", err)
		}
		seen, err := f.See(t.Context(), worker, list[0].ID)
		if err != nil || seen.SeenBy != worker.ID || seen.SeenAt.IsZero() {
			t.Fatalf("%+v, %v", seen, err)
		}
		if again, err := f.See(t.Context(), officer, list[0].ID); err != nil || again.SeenBy != worker.ID {
			t.Errorf("who saw it first is not kept: %+v, %v", again, err)
		}
		if d, _, err = f.pull(id); err != nil || len(d.Notices) > 0 {
			t.Errorf("after it was seen: %v, %v", d.Notices, err)
		}
		if _, err := f.See(t.Context(), worker, "N0"); !errors.Is(err, mulu.ErrNotFound) {
			t.Errorf("a notice that is not there: %v", err)
		}
	})
}
