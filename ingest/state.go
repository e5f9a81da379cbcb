package ingest

// State is how the reading of a partition or of a dataset stands.
type State string

// The states, worst first.
const (
	StateStopped State = "stopped" // a person has to settle why
	StateHeld    State = "held"    // waits for a person's review
	StatePaused  State = "paused"  // by a person
	StateRunning State = "running"
	StateIdle    State = "idle" // nothing waits and nothing comes
)

// States lists all of them, worst first.
func States() []State {
	return []State{StateStopped, StateHeld, StatePaused, StateRunning, StateIdle}
}

// State says how the partition stands.
func (st *Status) State() State {
	switch {
	case st.Stopped:
		return StateStopped
	case st.InReview:
		return StateHeld
	case st.Paused:
		return StatePaused
	case st.Lag > 0 || st.Rate > 0 || st.Error != "":
		return StateRunning
	}
	return StateIdle
}

// StateOf is the state of a dataset: its worst partition's, idle if it has none.
func StateOf(list []Status) State {
	for _, state := range States() {
		for i := range list {
			if list[i].State() == state {
				return state
			}
		}
	}
	return StateIdle
}

// Memory is how many bytes all partitions together hold, those of steps under way
// included, and how many they may.
func (s *Source) Memory() (held, budget int64) {
	return s.held.Load() + s.room.used.Load(), s.o.BufferBytes
}
