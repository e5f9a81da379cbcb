package app

import (
	"time"

	"mulu"
	"mulu/pipeline"
)

// judgeEvery is how often somebody looks whether a history is to be judged again.
const judgeEvery = 30 * time.Second

// newHistory readies the judging of histories.
func (a *App) newHistory() *pipeline.HistoryDesk {
	return &pipeline.HistoryDesk{
		Judge:    pipeline.Judge{Library: a.lib, Version: a.rules.of, Now: time.Now, Passed: a.opt.Passed},
		Datasets: a.catalog.Datasets, Log: a.log, Judged: a.rescore,
	}
}

// rescore has a dataset scored at the next turn though no batch came.
func (a *App) rescore(code mulu.DatasetCode) {
	a.scoring.Lock()
	defer a.scoring.Unlock()
	a.scored[code] = "judged again"
}
