"""`mab validate`: the tests of the S² protocol, run against real processes, and a report in which every figure was measured."""
