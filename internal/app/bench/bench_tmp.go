package bench

import "context"

func ingestFigures(context.Context, *Options) ([]Figure, error) { return nil, nil }
func checkFigures(context.Context, *Options) ([]Figure, error)  { return nil, nil }
func shareFigures(context.Context, *Options) ([]Figure, error)  { return nil, nil }
func ledgerFigures(context.Context, *Options) ([]Figure, error) { return nil, nil }
