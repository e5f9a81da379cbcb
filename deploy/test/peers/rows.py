"""The sample's residents as CSV and, with the types pandas finds in it, as Parquet."""
import csv, json, sys
import pandas as pd

source, most, to_csv, to_parquet = sys.argv[1:]
columns = "id_no name sex birth nation hj_div live_addr addr_code div12 phone live_type status death_date upd".split()
with open(source, encoding="utf-8", errors="replace") as lines, open(to_csv, "w", newline="", encoding="utf-8") as out:
    writer, n = csv.writer(out, lineterminator="\n"), 0
    writer.writerow(columns)
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue  # dirt of the sample: a record cut short
        if n == int(most):
            break
        writer.writerow(["" if row.get(c) is None else row[c] for c in columns])
        n += 1
pd.read_csv(to_csv).astype({"addr_code": "str"}).to_parquet(to_parquet, index=False)
