"""Models in ONNX's text syntax for what ONNX's operator cases leave out: whole graphs, bodies, functions.

Inputs whose names begin with `w_` become initialisers of drawn values.
"""

from __future__ import annotations

_HEAD = '<ir_version: 10, opset_import: ["" : 23, "ai.onnx.ml" : 4, "com.microsoft" : 1, "own" : 1]>\n'

_GRAPHS: dict[str, str] = {
    "mlp": """(float[N, 8] x, float[8, 16] w_0, float[16] w_1, float[16, 4] w_2) => (float[N, 4] y)
        { h = Gemm(x, w_0, w_1)  a = Relu(h)  z = MatMul(a, w_2)  y = Softmax<axis = -1>(z) }""",
    "convolutions": """(float[N, 3, H, W] x, float[8, 3, 3, 3] w_0, float[8] w_1, float[8, 1, 3, 3] w_2) =>
            (float[N, C] y)
        { h = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(x, w_0, w_1)  a = Relu(h)
          e = Conv<group = 8, pads = [1, 1, 1, 1]>(a, w_2)
          m = MaxPool<kernel_shape = [2, 2], pads = [0, 0, 1, 1]>(e)
          p = GlobalAveragePool(m)  y = Flatten(p) }""",
    "upsampling": """(float[1, 4, H, W] x, float[4, 2, 2, 2] w_0) =>
            (float[1, 2, A, B] y, float[1, 4, C, D] z)
        <float[4] scales = {1, 1, 2, 1.5}, float roi = {0}>
        { y = ConvTranspose<strides = [2, 2]>(x, w_0)  z = Resize<mode = "linear">(x, , scales) }""",
    "attention": """(float[B, T, 16] x, float[16, 48] w_0, float[16] w_1, float[16] w_2) =>
            (float[B, T, 16] y)
        <int64[4] heads = {0, 0, 2, 8}, int64[3] joined = {0, 0, 16}, float scale = {0.35}>
        { n = LayerNormalization(x, w_1, w_2)  p = MatMul(n, w_0)
          q, k, v = Split<axis = -1, num_outputs = 3>(p)
          q1 = Reshape(q, heads)  k1 = Reshape(k, heads)  v1 = Reshape(v, heads)
          q2 = Transpose<perm = [0, 2, 1, 3]>(q1)  k2 = Transpose<perm = [0, 2, 3, 1]>(k1)
          v2 = Transpose<perm = [0, 2, 1, 3]>(v1)  s = MatMul(q2, k2)  t = Mul(s, scale)  a = Softmax(t)
          o = MatMul(a, v2)  o1 = Transpose<perm = [0, 2, 1, 3]>(o)  o2 = Reshape(o1, joined)
          y = Add(o2, x) }""",
    "symbolic_sizes": """(float[N, M] x, int64[K] rows) => (float[A, B] y, int64[2] s)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] far = {9223372036854775807}>
        { s = Shape(x)  n = Slice(s, zero, one)  h = Div(n, two)  g0 = Gather(x, rows)
          c = Slice(g0, h, far, zero)  d = Concat<axis = 0>(c, x)  m = Slice(s, one, two)
          k = Concat<axis = 0>(m, n)  t = Transpose(x)  r = Reshape(x, k)  u = Add(r, t)
          y = MatMul(d, u) }""",
    "sizes_by_content": """(int64[2] dims, float z, int64 stop) => (float[A] y, int64[B] r, float[C, D] p)
        <int64 zero = {0}, int64 one = {1}, int64[1] minus = {-1}, int64[4] by = {1, 0, 0, 2}>
        { e = Expand(z, dims)  c = ConstantOfShape<value = float[1] {2}>(dims)  s = Add(e, c)
          f = Reshape(s, minus)  k = Shape(f)  y = Tile(f, k)  r = Range(zero, stop, one)
          p = Pad(s, by) }""",
    "rank_by_content": """(float[2, 3, 4] x, int64[1] axes) => (float y)
        { y = ReduceMax<keepdims = 0>(x, axes) }""",
    "branches": """(float[N, 4] x, bool c, float[4] w_0) => (float[N, 4] y)
        { h = Add(x, w_0)
          y = If(c) <then_branch = t () => (float[N, 4] a) { b = Mul(h, x)  a = Relu(b) },
                     else_branch = e () => (float[N, 4] a) { a = Sub(h, x) }> }""",
    "branches_of_other_sizes": """(float[N, 4] x, bool c) => (float[A, B] y)
        { y = If(c) <then_branch = t () => (float[A, B] a) { a = Concat<axis = 0>(x, x) },
                     else_branch = e () => (float[A, B] a) { a = Identity(x) }> }""",
    "loop": """(float[N] x, int64 trips, bool go) => (float[N] y, float[T, N] rows)
        { y, rows = Loop(trips, go, x) <body = b (int64 i, bool c, float[N] s) =>
              (bool d, float[N] t, float[N] r) { t = Add(s, x)  r = Mul(t, t)  d = Identity(c) }> }""",
    "loop_that_grows": """(float[N] x, int64 trips) => (float[M] y)
        { y = Loop(trips, , x) <body = b (int64 i, bool c, float[K] s) => (bool d, float[L] t)
              { t = Concat<axis = 0>(s, x)  d = Identity(c) }> }""",
    "nested_loops": """(float[N, 2] x, int64 trips) => (float y)
        <float zero = {0}, int64 three = {3}>
        { y = Loop(trips, , zero) <body = b (int64 i, bool c, float s) => (bool d, float t) {
              t = Loop(three, , s) <body = e (int64 j, bool f, float u) => (bool k, float v) {
                  r = Gather(x, i)  q = ReduceSum<keepdims = 0>(r)  v = Add(u, q)  k = Identity(f) }>
              d = Identity(c) }> }""",
    "scan": """(float[T, N] x, float[N] s) => (float[N] y, float[T, N] z)
        { y, z = Scan(s, x) <num_scan_inputs = 1, body = b (float[N] p, float[N] q) =>
              (float[N] r, float[N] o) { r = Add(p, q)  o = Tanh(r) }> }""",
    "sequences": """(float[N, 3] x, int64 at) => (float[A, 3] y, int64 n)
        { s = SplitToSequence<axis = 0>(x)  t = SequenceInsert(s, x, at)  n = SequenceLength(t)
          u = SequenceErase(t, at)  v = SequenceAt(t, at)  c = ConcatFromSequence<axis = 0>(u)
          y = Concat<axis = 0>(c, v) }""",
    "lookups": """(float[5, 6] x, int64[N] i, int64[5, K] j, int64[M, 2] k, float[M] u) =>
            (float[N, 6] a, float[5, K] b, float[M] c, float[5, 6] d, float[5, K] e, float[M, 7] f)
        <int64 depth = {7}, float[2] values = {0, 1}>
        { a = Gather(x, i)  b = GatherElements<axis = 1>(x, j)  c = GatherND(x, k)
          d = ScatterND<reduction = "add">(x, k, u)  e = ScatterElements<axis = 1>(b, j, b)
          i1 = Gather<axis = 1>(k, z)  f = OneHot(i1, depth, values)  z = Constant<value_int = 0>() }""",
    "selection": """(float[N, 8] x, int64[1] k) => (float[N, K] v, int64[N, K] i, int64[2, M] n, float[U] u)
        { v, i = TopK<axis = 1>(x, k)  n = NonZero(x)  u = Unique(x) }""",
    "boxes": """(float[1, 6, 4] boxes, float[1, 2, 6] scores, int64[1] most, float[3, 2, 8, 8] x,
             int64[R] rows, float[R, 4] rois) => (int64[M, 3] chosen, float[R, 2, 2, 2] y)
        <float[1] overlap = {0.5}, float[1] least = {0.1}>
        { chosen = NonMaxSuppression(boxes, scores, most, overlap, least)
          y = RoiAlign<output_height = 2, output_width = 2>(x, rois, rows) }""",
    "recurrent": """(float[T, B, 4] x, float[1, 12, 4] w_0, float[1, 12, 3] w_1, int32[B] lengths) =>
            (float[T, 1, B, 3] y, float[1, B, 3] h)
        { y, h = LSTM<hidden_size = 3>(x, w_0, w_1, , lengths) }""",
    "quantised": """(float[N, 8] x, int8[8, 4] w_0) => (float[N, 4] y)
        <float sx = {0.05}, uint8 zx = {128}, float sw = {0.02}, int8 zw = {0}>
        { q = QuantizeLinear(x, sx, zx)  d = DequantizeLinear(q, sx, zx)  v = DequantizeLinear(w_0, sw, zw)
          m = MatMul(d, v)  p = QuantizeLinear(m, sx, zx)  y = DequantizeLinear(p, sx, zx) }""",
    "quantised_convolutions": """(float[N, 8, H, W] x, int8[8, 8, 3, 3] w_0, int32[8] w_1,
             int8[16, 8, 1, 1] w_2, int8[8, 1, 3, 3] w_3) => (float[N, 16, A, B] y)
        <float sx = {0.05}, float sh = {0.03}, float sb = {0.001}, uint8 zx = {128}, int8 zw = {0},
         float[8] sw = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08}, float s1 = {0.02},
         int8[8] zs = {0, 0, 0, 0, 0, 0, 0, 0}, int32 zb = {0}>
        { q = QuantizeLinear(x, sx, zx)  d = DequantizeLinear(q, sx, zx)
          v = DequantizeLinear<axis = 0>(w_0, sw, zs)  b = DequantizeLinear(w_1, sb, zb)
          h = Conv<pads = [1, 1, 1, 1]>(d, v, b)  r = Relu(h)
          q1 = QuantizeLinear(r, sh, zx)  d1 = DequantizeLinear(q1, sh, zx)
          v3 = DequantizeLinear<axis = 0>(w_3, sw, zs)  e = Conv<group = 8, pads = [1, 1, 1, 1]>(d1, v3)
          c = Clip(e, low, high)  q2 = QuantizeLinear(c, sh, zx)  d2 = DequantizeLinear(q2, sh, zx)
          t = Add(d2, d)  q3 = QuantizeLinear(t, sx, zx)  d3 = DequantizeLinear(q3, sx, zx)
          p = MaxPool<kernel_shape = [2, 2], pads = [0, 0, 1, 1]>(d3)
          q4 = QuantizeLinear(p, sx, zx)  d4 = DequantizeLinear(q4, sx, zx)
          v2 = DequantizeLinear(w_2, s1, zw)  k = Conv(d4, v2)
          q5 = QuantizeLinear(k, sx, zx)  y = DequantizeLinear(q5, sx, zx)
          low = Constant<value_float = 0.0>()  high = Constant<value_float = 6.0>() }""",
    "quantised_layers": """(float[B, T, 16] x, int8[16, 32] w_0, int8[32, 16] w_1, float[32] w_2,
             float[16] w_3) => (float[B, T, 16] y)
        <float sx = {0.05}, float sh = {0.04}, uint8 zx = {120}, float sw = {0.02}, int8 zw = {0}>
        { q = QuantizeLinear(x, sx, zx)  d = DequantizeLinear(q, sx, zx)  v = DequantizeLinear(w_0, sw, zw)
          m = MatMul(d, v)  b = Add(m, w_2)  g = Gelu(b)  q1 = QuantizeLinear(g, sh, zx)
          d1 = DequantizeLinear(q1, sh, zx)  v1 = DequantizeLinear(w_1, sw, zw)  m1 = MatMul(d1, v1)
          b1 = Add(m1, w_3)  q2 = QuantizeLinear(b1, sx, zx)  d2 = DequantizeLinear(q2, sx, zx)
          r = Add(d2, d)  q3 = QuantizeLinear(r, sx, zx)  y = DequantizeLinear(q3, sx, zx) }""",
    "quantised_operators": """(uint8[N, 8, H, W] x, int8[16, 4, 3, 3] w_0, uint8[M, 16] z, int8[16, 4] w_1) =>
            (uint8[N, 16, A, B] y, uint8[M, 4] p, uint8[N, 16, A, B] s)
        <float a = {0.05}, float b = {0.02}, float c = {0.1}, uint8 za = {128}, int8 zb = {0}>
        { y = QLinearConv<group = 2, pads = [1, 1, 1, 1]>(x, a, za, w_0, b, zb, c, za)
          p = QLinearMatMul(z, a, za, w_1, b, zb, c, za)
          s = com.microsoft.QLinearAdd(y, c, za, y, c, za, a, za) }""",
    "quantised_attention": """(float[B, T, 16] x, int8[16, 48] w_0, float w_1, int8 w_2, float[48] w_3) =>
            (float[B, T, 16] y, float[B, T, 48] z)
        { q, s, p = DynamicQuantizeLinear(x)
          y = com.microsoft.QAttention<num_heads = 2>(q, w_0, w_3, s, w_1, , p, w_2)
          z = com.microsoft.DynamicQuantizeMatMul(x, w_0, w_1, , w_3) }""",
    "grouped_convolutions": """(float[N, 16, H, W] x, float[16, 2, 3, 3] w_0, float[16] w_1,
             float[32, 4, 3, 3] w_2, float[32, 8, 1, 1] w_3) => (float[N, 32, A, B] y)
        { h = Conv<group = 8, pads = [1, 1, 1, 1]>(x, w_0, w_1)  a = Relu(h)  r = Add(a, x)
          e = Conv<group = 4, pads = [1, 1, 1, 1], strides = [2, 2]>(r, w_2)
          y = Conv<group = 4>(e, w_3) }""",
    "wide_convolutions": """(float[1, 32, 40, W] x, float[32, 32, 3, 3] w_0, float[32] w_1,
             float[32, 1, 5, 5] w_2, float[64, 32, 1, 1] w_3) => (float[1, 64, 40, A] y)
        { h = Conv<pads = [1, 1, 1, 1]>(x, w_0, w_1)  a = HardSwish(h)
          e = Conv<group = 32, pads = [2, 2, 2, 2]>(a, w_2)  k = Conv(e, w_3)  y = Sigmoid(k) }""",
    "wide_products": """(float[N, 20, 40] x, float[40, 48] w_0, float[48] w_1, float[48, 33] w_2,
             float[M, 36] a, float[36, 20] b) => (float[N, 20, 33] y, float[M, 20] c)
        { h = MatMul(x, w_0)  s = Add(h, w_1)  g = Gelu(s)  y = MatMul(g, w_2)  c = MatMul(a, b) }""",
    "wide_integer_products": """(uint8[N, 20, 40] x, int8[40, 48] w_0, float[M, 9, 70] z, int8[70, 17] w_1) =>
            (int32[N, 20, 48] y, float[M, 9, 17] u)
        { y = MatMulInteger(x, w_0)  q, s, p = DynamicQuantizeLinear(z)  m = MatMulInteger(q, w_1, p)
          f = Cast<to = 1>(m)  u = Mul(f, s) }""",
    "wide_layers": """(float[N, 24, 9, W] x, float[40, 24, 3, 3] w_0, float[40] w_1, float[33, 40, 1, 1] w_2,
             float[33] w_3, float[32, 33, 1, 5] w_4) => (float[N, 32, A, B] y)
        { h = Conv<pads = [1, 1, 1, 1], strides = [1, 2]>(x, w_0, w_1)  a = Relu(h)  k = Conv(a, w_2, w_3)
          g = Sigmoid(k)  m = Mul(k, g)  y = Conv<pads = [0, 2, 0, 2]>(m, w_4) }""",
    "wide_quantised_operators": """(uint8[N, 20, 9, W] x, int8[24, 20, 3, 3] w_0, int8[40, 24, 1, 1] w_1,
             uint8[M, 9, 36] z, int8[36, 20] w_2) => (uint8[N, 40, A, B] y, uint8[M, 9, 20] p)
        <float a = {0.05}, float b = {0.02}, float c = {0.9}, uint8 za = {128}, int8 zb = {0}>
        { h = QLinearConv<pads = [1, 1, 1, 1]>(x, a, za, w_0, b, zb, c, za)
          y = QLinearConv<strides = [2, 2]>(h, c, za, w_1, b, zb, c, za)
          p = QLinearMatMul(z, a, za, w_2, b, zb, c, za) }""",
    "wide_attention": """(float[B, T, 64] x, float[64, 192] w_0, float[192] w_1, float[64, 64] w_2) =>
            (float[B, T, 64] y)
        { a = com.microsoft.Attention<num_heads = 2>(x, w_0, w_1)  o = MatMul(a, w_2)  y = Add(o, x) }""",
    "masked_attention": """(float[B, 2, T, 8] q, float[B, 2, S, 8] k, float[B, 2, S, 8] v, bool[T, S] seen,
             float[B, 1, 1, S] bias) => (float[B, 2, T, 8] y)
        <float root = {0.6}, float never = {-3.4e38}>
        { q1 = Mul(q, root)  k1 = Mul(k, root)  k2 = Transpose<perm = [0, 1, 3, 2]>(k1)  s = MatMul(q1, k2)
          m = Where(seen, s, never)  b = Add(m, bias)  a = Softmax<axis = -1>(b)  n = IsNaN(a)
          z = CastLike(zero, a)  c = Where(n, z, a)  y = MatMul(c, v)
          zero = Constant<value_float = 0.0>() }""",
    "kept_attention": """(float[B, T, 16] x, float[16, 48] w_0, float[B, 2, P, 8] pk, float[B, 2, P, 8] pv) =>
            (float[B, 2, T, 8] y, float[B, 2, S, 8] nk, float[B, 2, S, 8] nv)
        <int64[4] heads = {0, 0, 2, 8}, float root = {2.83}>
        { p = MatMul(x, w_0)  q, k, v = Split<axis = -1, num_outputs = 3>(p)
          q1 = Reshape(q, heads)  q2 = Transpose<perm = [0, 2, 1, 3]>(q1)
          k1 = Reshape(k, heads)  k2 = Transpose<perm = [0, 2, 1, 3]>(k1)
          v1 = Reshape(v, heads)  v2 = Transpose<perm = [0, 2, 1, 3]>(v1)
          nk = Concat<axis = 2>(pk, k2)  nv = Concat<axis = 2>(pv, v2)
          k3 = Transpose<perm = [0, 1, 3, 2]>(nk)  s = MatMul(q2, k3)  t = Div(s, root)
          a = Softmax<axis = -1>(t)  y = MatMul(a, nv) }""",
    "attention_operators": """(float[B, T, 16] x, float[16, 48] w_0, float[48] w_1, float[B, S, 16] k,
             float[B, S, 16] v, float[2, T, S] bias) =>
            (float[B, T, 16] y, float[B, T, 16] z, float[B, T, 16] u)
        { y = com.microsoft.Attention<num_heads = 2, unidirectional = 1>(x, w_0, w_1)
          z = com.microsoft.MultiHeadAttention<num_heads = 2>(x, k, v)
          u = Attention<q_num_heads = 2, kv_num_heads = 2>(x, k, v, bias) }""",
    "integer_products": """(float[N, 8] x, int8[8, 4] w_0, uint8[M, 8] u) => (float[N, 4] y, int32[M, 4] z)
        { q, s, p = DynamicQuantizeLinear(x)  m = MatMulInteger(q, w_0, p)
          f = Cast<to = 1>(m)  y = Mul(f, s)  z = MatMulInteger(u, w_0) }""",
    "half": """(float16[N, 8] x, float16[8, 4] w_0) => (float16[N, 4] y, bfloat16[N, 8] b)
        { h = MatMul(x, w_0)  y = Sigmoid(h)  b = Cast<to = 16>(x) }""",
    "text": """(string[N] x, string[N] z) => (string[N] y, int64[N] k, string[N, P] parts)
        { y = StringConcat(x, z)  k = ai.onnx.ml.LabelEncoder<keys_strings = ["a", "42"],
          values_int64s = [1, 2], default_int64 = -1>(x)  parts, n = StringSplit(x) }""",
    "function": """(float[N, 4] x) => (float[N, 4] y)
        { h = own.twice<alpha = 0.5>(x)  y = own.twice<alpha = 0.1>(h) }
        <domain: "own", opset_import: ["" : 21]>
        twice <alpha>(x) => (y) { a = LeakyRelu<alpha : float = @alpha>(x)  y = Add(a, a) }""",
    "trees": """(float[N, 3] x) => (int64[N] label, float[N, 2] p, float[N, 1] r)
        { label, p = ai.onnx.ml.TreeEnsembleClassifier<classlabels_int64s = [0, 1], nodes_treeids = [0, 0, 0],
            nodes_nodeids = [0, 1, 2], nodes_featureids = [1, 0, 0], nodes_values = [0.5, 0.0, 0.0],
            nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids = [1, 0, 0],
            nodes_falsenodeids = [2, 0, 0], class_treeids = [0, 0], class_nodeids = [1, 2],
            class_ids = [0, 1], class_weights = [1.0, 1.0], post_transform = "SOFTMAX">(x)
          r = ai.onnx.ml.TreeEnsembleRegressor<n_targets = 1, nodes_treeids = [0, 0, 0],
            nodes_nodeids = [0, 1, 2], nodes_featureids = [2, 0, 0], nodes_values = [0.1, 0.0, 0.0],
            nodes_modes = ["BRANCH_GT", "LEAF", "LEAF"], nodes_truenodeids = [1, 0, 0],
            nodes_falsenodeids = [2, 0, 0], target_treeids = [0, 0], target_nodeids = [1, 2],
            target_ids = [0, 0], target_weights = [1.5, -1.5]>(x) }""",
    "machine_learning": """(float[N, 3] x) => (float[N, 3] y, float[N, 1] r, int64[N] label, float[N, 2] p)
        { s = ai.onnx.ml.Scaler<offset = [0.0, 1.0, 2.0], scale = [1.0, 0.5, 2.0]>(x)
          y = ai.onnx.ml.Normalizer<norm = "L2">(s)
          r = ai.onnx.ml.LinearRegressor<coefficients = [1.0, 2.0, 3.0], intercepts = [0.5]>(x)
          label, p = ai.onnx.ml.LinearClassifier<coefficients = [1.0, 2.0, 3.0, -1.0, -2.0, -3.0],
            intercepts = [0.0, 0.1], classlabels_ints = [3, 7], post_transform = "SOFTMAX">(x) }""",
    "skip_norm": """(float[B, T, 8] x, float[B, T, 8] z, float[8] w_0, float[8] w_1, float[8] w_2) =>
            (float[B, T, 8] y)
        { y = com.microsoft.SkipLayerNormalization<epsilon = 0.00001>(x, z, w_0, w_1, w_2) }""",
    "embedding": """(int32[B, T] ids, int32[B, T] segments, float[9, 8] w_0, float[6, 8] w_1, float[3, 8] w_2,
             float[8] w_3, float[8] w_4) => (float[B, T, 8] y, int32[B] m)
        { y, m = com.microsoft.EmbedLayerNormalization(ids, segments, w_0, w_1, w_2, w_3, w_4) }""",
    "four_bits": """(float[M, 32] x, uint8[4, 2, 8] w_0, float[8] w_1) => (float[M, 4] y)
        { y = com.microsoft.MatMulNBits<K = 32, N = 4, bits = 4, block_size = 16>(x, w_0, w_1) }""",
    "grouped_attention": """(float[1, T, 16] q, float[1, T, 8] k, float[1, T, 8] v, float[1, 1, P, 8] pk,
             float[1, 1, P, 8] pv, int32[1] seqlens, int32 total) =>
            (float[1, T, 16] y, float[1, 1, S, 8] nk, float[1, 1, S, 8] nv)
        { y, nk, nv = com.microsoft.GroupQueryAttention<num_heads = 2, kv_num_heads = 1>(
            q, k, v, pk, pv, seqlens, total) }""",
    "rotary": """(float[B, T, 16] x, int64[B, T] at, float[8, 4] w_0, float[8, 4] w_1) => (float[B, T, 16] y)
        { y = com.microsoft.RotaryEmbedding<num_heads = 2>(x, at, w_0, w_1) }""",
    "fused": """(float[M, 4] x, float[4, 6] w_0, float[6] w_1) => (float[M, 6] y)
        { h = com.microsoft.FusedMatMul<alpha = 0.5>(x, w_0)  b = com.microsoft.BiasGelu(h, w_1)
          y = com.microsoft.QuickGelu(b) }""",
}

MODELS: dict[str, str] = {name: f"{_HEAD}{name} {graph}" for name, graph in _GRAPHS.items()}
"""By name."""
