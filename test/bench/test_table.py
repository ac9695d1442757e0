"""Of table.py: what runs make of a row, JSON's shape, a page's sections."""
import json
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import table  # noqa: E402

PAGE = "Title\n\n1 How\n\n    a\n\n2 The figures\n\nold\n3 threads: a row\n\n3 What\n\nb\n"


def run(done, per_second, cpu_s):
    return {"done": done, "per_second": per_second, "cpu_s": [cpu_s]}


class Ratios(unittest.TestCase):
    def test_the_median_counts_not_the_mean(self):
        r = table.row("kept, with Zn", [0.1, 0.17, 9.0, 0.16, 0.15])
        self.assertEqual((r["ratio"], r["runs"], r["met"], r["cause"]), (0.16, 5, True, ""))

    def test_a_bound_is_met_where_it_is_reached(self):
        for name, (bound, sense, limit) in table.BOUNDS.items():
            better = 1.01 if sense == "at-least" else 0.99
            self.assertTrue(table.row(name, [bound])["met"], name)
            self.assertTrue(table.row(name, [bound * better])["met"], name)
            worse = table.row(name, [bound / better])
            self.assertEqual((worse["met"], worse["cause"]), (False, limit), name)

    def test_met_is_judged_before_rounding(self):
        self.assertFalse(table.row("kept, with Zn", [0.15999])["met"])
        self.assertFalse(table.row("scenario 1", [1.50001])["met"])

    def test_cost_is_processor_time_for_each_operation(self):
        self.assertEqual(table.per_cpu(run(1000, 1, 2.0)), 500)
        self.assertEqual(table.per_cpu(run(5, 1, 0.0)), 500)  # under one tick
        self.assertEqual(table.by_cpu(run(100, 1, 1.0), run(100, 1, 3.0)), 3)

    def test_of_speed_and_cost_the_smaller_ratio_counts(self):
        self.assertEqual(table.by_both(run(100, 300, 1.0), run(100, 100, 2.0)), 2)
        self.assertEqual(table.by_both(run(100, 100, 1.0), run(100, 200, 2.0)), 0.5)

    def test_a_line_has_the_spread_and_the_cause(self):
        line = table.line_of(table.row("scenario 2", [1.2, 1.7, 1.9]))
        self.assertIn("1.70 (1.20..1.90)", line)
        self.assertIn("≤ 1.5   shortfall  commits", line)
        self.assertIn("shortfall  not measured: no peer", table.line_of(table.missing("scenario 2", "no peer")))


class Json(unittest.TestCase):
    def test_each_row_has_six_fields_of_their_types(self):
        rows = [table.row(name, [1.0, 2.0, 3.0], "ours", "peer") for name in table.BOUNDS]
        said = json.loads(table.as_json(rows, ""))
        self.assertEqual([r["name"] for r in said], list(table.BOUNDS))
        for r in said:
            self.assertEqual(list(r), ["name", "ratio", "bound", "sense", "met", "runs"])
            self.assertEqual([type(r[k]) for k in ("name", "ratio", "met", "runs")], [str, float, bool, int])
            self.assertIn(type(r["bound"]), (int, float))
            self.assertIn(r["sense"], ("at-least", "at-most"))

    def test_a_row_that_was_not_measured_has_no_ratio(self):
        said, = json.loads(table.as_json([table.missing("scenario 2", "no peer")], ""))
        self.assertEqual((said["ratio"], said["met"], said["runs"]), (None, False, 0))

    def test_other_rows_of_an_earlier_run_stay(self):
        before = table.as_json([table.row("scenario 1", [1.0]), table.row("scenario 2", [1.1])], "")
        said = json.loads(table.as_json([table.row("scenario 1", [2.0]), table.row("kept, with Zn", [1.0])], before))
        self.assertEqual([(r["name"], r["ratio"]) for r in said], [("kept, with Zn", 1.0), ("scenario 2", 1.1), ("scenario 1", 2.0)])

    def test_what_is_no_such_list_or_has_other_rows_goes(self):
        for before in ("{", "[1]", "7", '[{"x": 1}]', '[{"name": "a row of old"}]'):
            self.assertEqual(len(json.loads(table.as_json([table.row("scenario 1", [2.0])], before))), 1)


class Page(unittest.TestCase):
    def test_only_its_section_changes(self):
        self.assertEqual(table.into_page(PAGE, 2, "new\n"), PAGE.replace("old\n3 threads: a row", "new"))
        self.assertEqual(table.into_page(PAGE, 3, "c\n"), PAGE.replace("b\n", "c\n"))

    def test_the_page_of_the_tree_has_its_sections(self):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/PERFORMANCE")) as f:
            page = f.read()
        for n in range(1, 6):
            a, b = table.section(page, n)
            self.assertEqual(table.into_page(page, n, page[a:b]), page)

    def test_figures_are_printed_with_each_side_in_words(self):
        text = list(table.lines("head", [table.row("scenario 2", [1.2], "mine", "theirs")], {"a floor": 1234.5}, True))
        self.assertEqual(text[0], "head")
        self.assertEqual(text[3:5], ["        ours  mine", "        peer  theirs"])
        self.assertIn("1,234.5", text[-1])


class Endured(unittest.TestCase):
    r = {"done": 20000, "failed": 0, "resumed": 10000, "seconds": 120.0, "p50_us": 31700, "p99_us": 307200, "p999_us": 454700, "max_us": 554600,
         "at_once_max": 85, "cpu_s": [40.0, 20.0], "own_cpu_s": 50.0}

    def test_memory_is_flat_within_a_tenth_and_2_mb(self):
        self.assertTrue(table.is_flat(10000, 13048))
        self.assertFalse(table.is_flat(10000, 13049))
        said = list(table.endured(10000, self.r, {"bsfd": (10000, 13049), "nafkcd": (1024, 1024)}, 0.25, {"nafkcd": 30, "bsfd": 10}))
        self.assertEqual(said[3:], ["bsfd resident: 9.8 MB, then 12.7 MB: it grows", "nafkcd resident: 1.0 MB, then 1.0 MB: flat",
                                    "what else ran on the machine had 25 % of its processors; an operation waited for one 1.5 ms in nafkcd "
                                    "and 0.5 ms in bsfd"])

    def test_the_example_goes_by_what_an_operation_costs(self):
        # 3 ms: 14.47 a second are 4.3 %, 277.8 are 83 %
        text = " ".join(table.example(self.r).split())
        self.assertIn("that is 4.3 % of one processor", text)
        self.assertIn("278 a second, 83 % of one.", text)

    def test_the_page_gets_its_figures_and_keeps_the_rest(self):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/PERFORMANCE")) as f:
            page = f.read()
        said = list(table.endured(10000, self.r, {"bsfd": (1024, 1024)}, 0, {"bsfd": 1}))
        new = table.endured_into_page(page, said, self.r)
        self.assertEqual(new.count("An example "), 1)
        self.assertIn("\n\n    20,000 operations of 10,000 devices", new)
        self.assertIn("    processor time of an operation: nafkcd 2000 us, bsfd 1000 us\n    bsfd resident: 1.0 MB", new)
        self.assertIn("83 % of one.", new)
        self.assertEqual(new[:new.index("\n4 Many")], page[:page.index("\n4 Many")])
        self.assertEqual(table.endured_into_page(new, said, self.r), new)


if __name__ == "__main__":
    unittest.main()
