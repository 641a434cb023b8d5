"""The words of prompts about channel flows, and the rules by which statements are read from them."""

from __future__ import annotations

from collections.abc import Mapping

from sciml.text2pde.captions.phrases import Phrases, Rule

_WORDS = {
    "link": "of is was are be has have having with a an the its it their to equal equals equaling about approximately "
    "roughly around number given set value b = : ≈ ~ -",
    "at": "at position positioned located placed centred centered centre center location lies sits stands",
    "on": "on along",
    "in": "in",
    "from": "from",
    "radius": "radius r",
    "diameter": "diameter d dia",
    "semi_axes": "semiaxes semiaxis semi",
    "axes": "axes axis",
    "sides": "side sides edge edges",
    "wide": "wide width across broad",
    "high": "high height tall",
    "long": "long length",
    "corners": "corners vertices corner",
    "turn": "turned rotated tilted inclined angle rotation inclination",
    "clockwise": "clockwise",
    "attack": "attack",
    "anticlockwise": "anticlockwise counterclockwise",
    "mean": "mean average averaged bulk",
    "peak": "peak peaks maximum maximal max umax u_max reaches most up",
    "velocity": "velocity speed u",
    "reynolds": "reynolds re",
    "viscosity": "viscosity nu ν",
    "not": "no not without never none neither nor",
    "vortex": "vortices vortex vortexes eddies eddy",
    "shed": "shed sheds shedding",
    "street": "street",
    "steady": "steady stationary",
    "unsteady": "unsteady periodic periodically oscillates oscillate oscillating timedependent",
    "change": "change changes vary varies",
    "turbulent": "turbulent turbulence",
    "downstream": "downstream behind after past",
    "inlet": "inlet entrance",
    "above": "above over",
    "below": "below under beneath",
    "lower": "lower bottom floor",
    "upper": "upper top ceiling",
    "wall": "wall",
    "centreline": "centreline centerline midline",
    "channel": "channel duct tunnel",
    "x": "x",
    "y": "y",
    "by": "by ×",
    "and": "and , &",
    "stop": ". ; ! ?",
    "open": "( [",
    "close": ") ]",
    "cylinder": "cylinder",
    "obstacle": "obstacle body prism object",
    "circle": "circle circular disc disk round",
    "ellipse": "ellipse elliptic elliptical oval",
    "rectangle": "rectangle rectangular square",
    "polygon": "polygon polygonal triangle triangular quadrilateral pentagon pentagonal hexagon hexagonal",
    "several": "cylinders circles discs disks ellipses rectangles squares polygons triangles obstacles bodies prisms "
    "objects several",
    "foreign": "smoke plume plumes buoyancy buoyant heat temperature wave waves seismic porous",
}
_FILLERS = (
    "fluid flow flows flowing liquid water stream streams passes pass passing through moves moving runs goes there "
    "enters enter entering comes come arrives inflow incoming kinematic parabolic profile laminar this that which what "
    "whose for as and while wake time so does do fully developed parallel first second one two three four five six "
    "simulate please show me we happens corresponds measuring gives obstruct obstructed form forms formed blocks "
    "blocked into then here where when"
)
LEXICON: Mapping[str, str] = {
    **dict.fromkeys(_FILLERS.split(), "filler"),
    **{word: tag for tag, words in _WORDS.items() for word in words.split()},
}
"""The tags of the words and marks that the rules know; fillers have no other meaning."""

_SOFT = "(link|at|on|in|inlet|velocity|filler|channel|other|from|open|close)"  # words between two that belong together
_PAIR = "open? (x link*)? L (and+ | and* y link*) L close?"
_PLACE = "(at|link|on|in|channel|inlet)*"

RULES = (
    Rule("channel_size", "channel (link|filler)* L (by|x) L", "length"),
    Rule("channel_height", "channel (link|filler)* Q (high|wide)", "length"),
    Rule("channel_height", "channel link* (high|wide) link* Q", "length"),
    Rule("channel_height", "high link* channel link* Q", "length"),
    Rule("channel_length", "channel (link|filler)* Q long", "length"),
    Rule("channel_length", "channel link* long link* Q", "length"),
    Rule("channel_length", "long link* channel link* Q", "length"),
    Rule("corners", "corners (link|at)* (open? Q and Q close? and*)+", "length"),
    Rule("semi_axes", "semi_axes axes? link* Q (and|by|x|link)+ Q", "length"),
    Rule("semi_axes", "Q (and|by|x)+ Q link* semi_axes axes?", "length"),
    Rule("axes", "axes link* Q (and|by|x|link)+ Q", "length"),
    Rule("sides", "sides link* L (and|by|x)+ L", "length"),
    Rule("sides", "L (by|x) L", "length"),
    Rule("side", "sides link* Q", "length"),
    Rule("side", "L sides", "length"),
    Rule("radius", "Q in radius", "length"),
    Rule("diameter", "Q in diameter", "length"),
    Rule("radius", "radius link* Q", "length"),
    Rule("diameter", "diameter link* Q", "length"),
    Rule("reynolds_number", "reynolds link* Q", "number"),
    Rule("viscosity", "viscosity link* Q", "viscosity"),
    Rule("viscosity", "VISCOSITY", "viscosity"),
    Rule("above_centreline", "Q above link* centreline", "length"),
    Rule("below_centreline", "Q below link* centreline", "length"),
    Rule("depth", "Q (below|from) link* upper wall?", "length"),
    Rule("y", "Q (above|from) link* lower wall?", "length"),
    Rule("x", "Q (downstream|from|link)+ inlet", "length"),
    Rule("centre", f"at {_PLACE} {_PAIR}", "length"),
    Rule("x", "x link* Q", "length"),
    Rule("y", "y link* Q", "length"),
    Rule("x", "Q downstream", "length"),
    Rule("centreline", "(at|on) link* centreline"),
    Rule("width", "Q wide", "length"),
    Rule("width", "wide link* Q", "length"),
    Rule("height", "Q high", "length"),
    Rule("height", "high link* Q", "length"),
    Rule("radius", "Q link? radius", "length"),
    Rule("diameter", "Q link? diameter", "length"),
    Rule("clockwise", "turn? (by|link)* ANGLE clockwise", "angle"),
    Rule("clockwise", "turn (clockwise|link* attack) (by|link)* ANGLE", "angle"),
    Rule("angle", "(turn (by|link|anticlockwise)* Q | ANGLE) anticlockwise?", "angle"),
    Rule("mean_velocity", f"mean {_SOFT}* VELOCITY", "velocity"),
    Rule("mean_velocity", "mean velocity link* Q", "velocity"),
    Rule("peak_velocity", f"peak {_SOFT}* VELOCITY", "velocity"),
    Rule("peak_velocity", "peak velocity link* Q", "velocity"),
    Rule("mean_velocity", f"VELOCITY {_SOFT}* mean", "velocity"),
    Rule("peak_velocity", f"VELOCITY {_SOFT}* peak", "velocity"),
    Rule("peak_velocity", "velocity link* Q", "velocity"),
    Rule("peak_velocity", "VELOCITY", "velocity"),
    Rule("steady", f"not {_SOFT}* (shed|vortex|change|unsteady) (link* (shed|vortex|street))*"),
    Rule("shedding", f"not {_SOFT}* steady"),
    Rule("shedding", "vortex? (link|vortex)* (shed|street) vortex?"),
    Rule("shedding", "unsteady|change"),
    Rule("steady", "steady"),
)
"""The rules in the order in which they are tried: names before numbers, then numbers before names, then units alone."""

GRAMMAR = Phrases(LEXICON, RULES)
