import Ocync
import Prewarm
import Testing

@Suite("How prewarm ends")
struct OutcomeTests {
    @Test(
        "a mapping that fails ends it as it ends ocync",
        arguments: [
            (MappingFailure.mapping(.noSource(from: "a")), PrewarmOutcome.failed),
            (.filter(.tooFew(1, minimum: 2)), .configurationError), (.denied("no"), .authenticationError),
            (.registry("gone"), .failed), (.unknownUpstream("quay.io"), .failed),
        ]
    )
    func mapping(failure: MappingFailure, expected: PrewarmOutcome) {
        #expect(failure.outcome == expected)
    }
}
