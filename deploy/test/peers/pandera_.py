"""pandera on the same rows with the same twelve rules, taken from the suite."""
import sys, time, json, warnings
warnings.filterwarnings("ignore")
started = time.process_time()
import pandas as pd
import pandera.pandas as pa
imported = time.process_time()

suite_file, data = sys.argv[1:]
df = pd.read_parquet(data) if data.endswith(".parquet") else pd.read_csv(data)
expectations = json.load(open(suite_file))["expectations"]

def check(e):
    k = e["kwargs"]
    return {
        "expect_column_values_to_match_regex": lambda: pa.Check.str_contains(k["regex"]),
        "expect_column_value_lengths_to_equal": lambda: pa.Check.str_length(k["value"], k["value"]),
        "expect_column_value_lengths_to_be_between": lambda: pa.Check.str_length(k["min_value"], k["max_value"]),
        "expect_column_values_to_be_in_set": lambda: pa.Check.isin(k["value_set"]),
        "expect_column_values_to_be_between": lambda: pa.Check.in_range(k["min_value"], k["max_value"]),
    }[e["type"]]()

columns, where = {}, []
for i, e in enumerate(expectations):
    c = columns.setdefault(e["kwargs"]["column"], {"checks": [], "nullable": True, "unique": False})
    if e["type"].endswith("not_be_null"):
        c["nullable"] = False
        where.append((e["kwargs"]["column"], "not_nullable"))
    elif e["type"].endswith("be_unique"):
        c["unique"] = True
        where.append((e["kwargs"]["column"], "field_uniqueness"))
    else:
        where.append((e["kwargs"]["column"], len(c["checks"])))
        c["checks"].append(check(e))
schema = pa.DataFrameSchema({n: pa.Column(checks=c["checks"], nullable=c["nullable"], unique=c["unique"]) for n, c in columns.items()})
counts = [0] * len(expectations)
try:
    schema.validate(df, lazy=True)
except pa.errors.SchemaErrors as err:
    cases = err.failure_cases
    own = cases["check"].isin(["not_nullable", "field_uniqueness"])
    for by, rows in (("check", cases[own]), ("check_number", cases[~own])):
        for (column, name), n in rows.groupby(["column", by]).size().items():
            counts[where.index((column, name))] = int(n)
print(json.dumps({"counts": counts, "imports": imported - started}))
