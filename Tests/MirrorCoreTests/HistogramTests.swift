import MirrorCore
import Testing

@Suite("Histograms")
struct HistogramTests {
    private func metrics(_ durations: Duration...) -> String {
        let metrics = Metrics()
        for duration in durations { metrics.requestSeconds.observe(duration, "manifest", "hit") }
        return metrics.text()
    }

    private func bucket(_ bound: String, _ count: Int) -> String {
        "tidepool_request_seconds_bucket{kind=\"manifest\",cache=\"hit\",le=\"\(bound)\"} \(count)\n"
    }

    @Test("a bucket holds everything up to its bound, that bound included")
    func cumulative() {
        let text = metrics(.microseconds(10), .milliseconds(1), .microseconds(1001), .seconds(60), .seconds(61))
        #expect(text.contains("# TYPE tidepool_request_seconds histogram\n"))
        for (bound, count) in [("0.001", 2), ("0.0025", 3), ("25", 3), ("60", 4), ("+Inf", 5)] {
            #expect(text.contains(bucket(bound, count)), "\(bound): \(text)")
        }
        #expect(text.contains("tidepool_request_seconds_count{kind=\"manifest\",cache=\"hit\"} 5\n"))
    }

    @Test("the sum is in seconds")
    func sum() {
        let text = metrics(.milliseconds(1500), .seconds(2), .milliseconds(250))
        #expect(text.contains("tidepool_request_seconds_sum{kind=\"manifest\",cache=\"hit\"} 3.75\n"), "\(text)")
    }

    @Test("each pair of labels is a series of its own, sorted")
    func labels() throws {
        let metrics = Metrics()
        metrics.requestSeconds.observe(.seconds(1), "manifest", "miss")
        metrics.requestSeconds.observe(.seconds(1), "blob", "hit")
        let counts = metrics.text().split(separator: "\n").filter { $0.hasPrefix("tidepool_request_seconds_count") }
        #expect(
            counts == [
                "tidepool_request_seconds_count{kind=\"blob\",cache=\"hit\"} 1",
                "tidepool_request_seconds_count{kind=\"manifest\",cache=\"miss\"} 1",
            ]
        )
    }

    @Test("without an observation there is no series, but its description")
    func empty() {
        let lines = metrics().split(separator: "\n").filter { $0.contains("tidepool_request_seconds") }
        #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("#") })
    }
}
