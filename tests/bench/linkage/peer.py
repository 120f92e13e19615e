"""The peer: Splink on the same table, set up as its own demonstrations do. Prints one JSON object.

    peer.py council|febrl TABLE.csv      the table has record_id, person (the truth, for scoring alone) and the values

Fair to it: it gets the values as our definitions parsed them (dates whole, placeholders gone, postcodes valid), its ready-made
comparisons with term frequencies, several blocking rules, expectation-maximisation over two sessions, and, with the answers in hand,
the threshold that suits it best. A pair counts as found when both records are in one of its clusters.
"""

import json
import logging
import resource
import sys
import time
from collections import Counter, defaultdict

import duckdb
import pandas as pd
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

THRESHOLDS = [0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999]


def council():
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_id",
        comparisons=[
            cl.ForenameSurnameComparison("forename", "surname", forename_surname_concat_col_name="full_name"),
            cl.DateOfBirthComparison("birth", input_is_string=True),
            cl.PostcodeComparison("postcode"),
            cl.ExactMatch("address").configure(term_frequency_adjustments=True),
            cl.ExactMatch("nhs_number"),
            cl.ExactMatch("upn"),
            cl.ExactMatch("sex"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("nhs_number"),
            block_on("upn"),
            block_on("birth", "surname"),
            block_on("birth", "forename"),
            block_on("birth", "postcode"),
            block_on("forename", "surname"),
            block_on("forename", "postcode"),
            block_on("address", "substr(forename, 1, 1)"),
        ],
        retain_intermediate_calculation_columns=False,
    )
    sure = ["l.forename = r.forename and l.surname = r.surname and l.birth = r.birth", "l.nhs_number = r.nhs_number"]
    sessions = [block_on("forename", "surname"), block_on("birth"), block_on("postcode", "substr(forename, 1, 1)")]
    return settings, sure, 0.7, sessions


def febrl():
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_id",
        comparisons=[
            cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth", input_is_string=True, datetime_format="%Y%m%d"),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("soc_sec_id"),
            block_on("given_name", "surname"),
            block_on("given_name", "postcode"),
            block_on("surname", "postcode"),
            block_on("birth"),
            block_on("street_number", "postcode"),
            block_on("address_1"),
        ],
        retain_intermediate_calculation_columns=False,
    )
    sure = ["l.soc_sec_id = r.soc_sec_id", "l.given_name = r.given_name and l.surname = r.surname and l.birth = r.birth"]
    return settings, sure, 0.8, [block_on("birth"), block_on("postcode"), block_on("soc_sec_id")]


def clusters(ids, pairs):
    parent = {i: i for i in ids}

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        a, b = root(a), root(b)
        parent[max(a, b)] = min(a, b)
    return {i: root(i) for i in ids}


def quality(of, truth):
    """Pairs, B-cubed and mixed clusters, as `family-context link --truth` counts them."""
    group, person = Counter(of.values()), Counter(truth.values())
    both = Counter((of[i], truth[i]) for i in of)
    two = lambda counts: sum(n * (n - 1) // 2 for n in counts.values())
    right, found, wanted = two(both), two(group), two(person)
    precision, recall = right / max(found, 1), right / max(wanted, 1)
    n = len(of)
    bp = sum(c * c / group[g] for (g, _), c in both.items()) / n
    br = sum(c * c / person[p] for (_, p), c in both.items()) / n
    people_in = defaultdict(set)
    for g, p in both:
        people_in[g].add(p)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "b_cubed": 2 * bp * br / (bp + br),
        "mixed": sum(len(p) > 1 for p in people_in.values()),
    }


def main():
    kind, table = sys.argv[1:3]
    logging.disable(logging.WARNING)
    data = pd.read_csv(table, dtype=str, keep_default_na=False).replace("", None)
    truth = dict(zip(data["record_id"], data["person"]))
    data = data.drop(columns="person")
    if kind == "council":
        data["full_name"] = data["forename"] + " " + data["surname"]
    started = time.time()
    settings, sure, recall, sessions = council() if kind == "council" else febrl()
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    database = DuckDBAPI(connection)
    linker = Linker(database.register(data), settings, log_level=40)
    linker.training.estimate_probability_two_random_records_match(sure, recall=recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for session in sessions:
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(session)
        except Exception as error:  # too few pairs in this session: the others train
            print(error, file=sys.stderr)
    predicted = linker.inference.predict(threshold_match_probability=min(THRESHOLDS))
    pairs = predicted.as_pandas_dataframe()[["record_id_l", "record_id_r", "match_probability"]]
    wall = time.time() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    tried = {}
    for threshold in THRESHOLDS:
        chosen = pairs[pairs["match_probability"] >= threshold]
        tried[threshold] = quality(clusters(truth, zip(chosen["record_id_l"], chosen["record_id_r"])), truth)
    best = max(tried, key=lambda threshold: tried[threshold]["f1"])
    print(json.dumps({
        "records": len(truth),
        "threshold": best,
        **tried[best],
        "f1_at_0.95": tried[0.95]["f1"],
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mib": usage.ru_maxrss / 1024,
    }))


main()
