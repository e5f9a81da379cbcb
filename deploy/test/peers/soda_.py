"""Soda Core on DuckDB over the same file: the measured value of every check, in order."""
import sys, time, json, warnings, logging
warnings.filterwarnings("ignore")
started = time.process_time()
import duckdb
from soda.scan import Scan

imported = time.process_time()

checks_file, data = sys.argv[1:]
con = duckdb.connect()
con.execute("SET threads = 2")
if data.endswith(".parquet"):
    con.execute(f"CREATE VIEW resident AS SELECT * FROM read_parquet('{data}')")
else:
    con.execute(f"CREATE TABLE resident AS SELECT * FROM read_csv('{data}', header=true, types={{'id_no': 'VARCHAR', 'birth': 'VARCHAR', 'upd': 'VARCHAR', 'phone': 'VARCHAR', 'name': 'VARCHAR'}})")
scan = Scan()
scan.disable_telemetry()
scan.add_duckdb_connection(con)
scan.set_data_source_name("duckdb")
scan.add_sodacl_yaml_file(checks_file)
scan.execute()
counts = [int(c.check_value) for c in scan._checks]
print(json.dumps({"counts": counts, "imports": imported - started}))
