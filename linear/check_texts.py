"""What the checks of the exercises say, in English and in Chinese.

Each text stands once, with its translation below it. In braces are the places that `linear.checks` fills in.
"""

LANGUAGES = ("en", "zh")

TEXTS = {
    # How a verdict begins, and what may follow it.
    "right": ("Correct: {f} does what the exercise asks.", "正确：{f} 符合题目的要求。"),
    "wrong": ("Not yet: {fault}", "还不对：{fault}"),
    "evidence": (
        "For {inputs}, {f} should give {expected}, but it gives {got}.",
        "当 {inputs} 时，{f} 应当得到 {expected}，但现在得到的是 {got}。",
    ),
    "where": ("It happens in line {number}:  {code}", "出错的是第 {number} 行：  {code}"),

    # Any function.
    "not_callable": (
        "{f} is {got}, not a function. Hand over the function itself, without calling it: {check}({f}).",
        "{f} 是 {got}，不是函数。请直接传入函数本身，不要先调用它：{check}({f})。",
    ),
    "dots": (
        "the dots still stand there. Write your code in their place.",
        "这里还是省略号。请把它换成你的代码。",
    ),
    "arguments": (
        "{f} has to take the arguments {args}, but it takes {takes}.",
        "{f} 的参数应当是 {args}，但现在的参数是 {takes}。",
    ),
    "other_order": (
        "the arguments are in another order. {f} has to take {args}, but it works only when it is called with {order}.",
        "参数的顺序不对。{f} 的参数顺序应当是 {args}，但它只有按 {order} 的顺序调用才能得到正确结果。",
    ),
    "raises": ("{f} raises an error, {kind}: {error}", "{f} 运行时出错，{kind}：{error}"),
    "none": (
        "{f} returns None. Its result has to stand after `return`.",
        "{f} 返回的是 None。请用 `return` 返回结果。",
    ),
    "prints": (
        "{f} prints something and returns None. Write `return` in place of `print`: the next steps need the value itself.",
        "{f} 只打印了结果，返回的却是 None。请把 `print` 改成 `return`：后面的步骤需要用到这个值。",
    ),
    "not_numbers": (
        "{f} has to return numbers, but it returns {got}.",
        "{f} 应当返回数值，但返回的是 {got}。",
    ),
    "caret": (
        "{f} raises an error: the power is written with two stars, e ** 2. In Python, ^ is something else.",
        "{f} 运行时出错：乘方要写成两个星号，即 e ** 2。^ 在 Python 里是另一种运算。",
    ),
    "shapes_of_product": (
        "{f} raises an error: the shapes on the two sides of @ do not fit together. Two numbers, or a number and an array, "
        "are multiplied by *. With several inputs, x comes first: x @ w.",
        "{f} 运行时出错：@ 两边的形状不匹配。数与数、数与数组相乘要用 *。有多个输入时，x 在前：x @ w。",
    ),
    "grad_of_value": (
        "{f} raises an error: grad takes a function, not a value. Write grad(loss), without the arguments of the loss. "
        "grad(loss) is a function, and takes these arguments.",
        "{f} 运行时出错：grad 的参数是函数，不是数值。请写成 grad(loss)，不带损失函数的参数。它返回一个函数，再把这些参数交给这个函数。",
    ),
    "attribute_of_dict": (
        "{f} raises an error: the parts of a dict are taken out by their names in brackets, such as theta['w'], not with a dot.",
        "{f} 运行时出错：取出字典里的值要用方括号和键，例如 theta['w']，不能用点号。",
    ),
    "whole_dict": (
        "{f} raises an error: there is no arithmetic with a whole dict. Compute with each of its parts, "
        "such as theta['w'] and grads['w'].",
        "{f} 运行时出错：不能对整个字典做算术运算。请分别用其中的每个值来计算，例如 theta['w'] 和 grads['w']。",
    ),
    "wrong_kind": (
        "theta has the type {kind} here, but {f} works only with the type {other}. {advice}",
        "这里 theta 的类型是 {kind}，但 {f} 只有在 theta 的类型是 {other} 时才能运行。{advice}",
    ),
    "take_out_array": (
        "There is no arithmetic with a whole {kind}: take w and b out, and compute with each.",
        "不能对整个 {kind} 做算术运算：请取出 w 和 b，分别计算。",
    ),
    "take_out_dict": (
        "Take the parameters out by their names: w, b = theta['w'], theta['b'].",
        "请按名称取出参数：w, b = theta['w'], theta['b']。",
    ),
    "take_out_other": ("Take the parameters out in their order: w, b = theta.", "请按顺序取出参数：w, b = theta。"),
    "changes": (
        "the result is right, but {f} changes {what}, which belongs to the caller. Make a new value, and leave the "
        "arguments as they are: operators such as += and *= change an array or an entry of a dict in place.",
        "结果是对的，但 {f} 修改了 {what}，而它属于调用者。请新建一个值，不要改动参数："
        "+=、*= 这样的运算会原地（in place）修改数组或字典里的值。",
    ),
    "not_differentiable": (
        "the values are right, but grad cannot differentiate {f}. {kind}: {error}",
        "数值是对的，但 grad 无法对 {f} 求导。{kind}：{error}",
    ),
    "other_derivative": (
        "the values are right, but the derivative of {f} is not. Some step leaves theta out of the computation that "
        "grad records. Compute with NumPy's functions and operators only.",
        "数值是对的，但 {f} 的导数不对。有一步计算没有被 grad 记录下来，theta 在那里丢失了。请只用 NumPy 的函数和运算符。",
    ),
    "value": ("the numbers are not right.", "数值不对。"),
    "model_called": (
        "{f} does not call the model with its arguments in their order. Write model(theta, x): theta first, then x.",
        "{f} 调用 model 时参数的顺序不对。请写成 model(theta, x)：先 theta，后 x。",
    ),

    # The model.
    "model_tuple": (
        "{f} returns {n} values side by side. A comma between them makes a tuple; the prediction is one array.",
        "{f} 并列返回了 {n} 个值。用逗号隔开的值会组成元组（tuple），而预测值应当是一个数组。",
    ),
    "model_list": (
        "{f} returns a list. Work on the whole array at once, without a loop: NumPy multiplies each element.",
        "{f} 返回的是列表（list）。请不用循环，直接对整个数组做运算：NumPy 会对每个元素做乘法。",
    ),
    "model_scalar": (
        "{f} returns one number, but there are {n} points. It has to return one prediction for each x.",
        "{f} 只返回了一个数，但数据有 {n} 个点。每个 x 都应当有一个预测值。",
    ),
    "column": (
        "{f} returns the shape {got}, a column, but the shape has to be {expected}. When {expected} meets {got}, NumPy "
        "broadcasts both to {square} without a word, and compares every point with every other one.",
        "{f} 返回的形状是 {got}，即一列，但应当是 {expected}。形状 {expected} 与 {got} 的数组一起运算时，"
        "NumPy 会不声不响地把它们广播（broadcast）成 {square}，于是每个点都会和所有的点比较。",
    ),
    "square": (
        "{f} returns the shape {got}, but it has to be {expected}. An array of shape {column} was broadcast against one of "
        "shape {expected}, so that every point met every other one.",
        "{f} 返回的形状是 {got}，但应当是 {expected}。形状 {column} 的数组与形状 {expected} 的数组发生了广播（broadcast），"
        "于是每个点都和所有的点配了对。",
    ),
    "each_input": (
        "{f} returns the shape {got}, one number for each input of each point. The products have to be added up over the "
        "inputs: x @ w does both.",
        "{f} 返回的形状是 {got}，即每个点的每个输入各有一个数。这些乘积还要对所有输入求和：x @ w 会一次完成。",
    ),
    "shape": (
        "{f} returns the shape {got}, but it has to be {expected}.",
        "{f} 返回的形状是 {got}，但应当是 {expected}。",
    ),
    "w_and_b": ("w and b have changed places.", "w 和 b 的位置互换了。"),
    "minus_b": ("b has the wrong sign: it has to be added.", "b 的符号错了：应当加上 b。"),
    "minus_w": ("w has the wrong sign.", "w 的符号错了。"),
    "minus_all": ("the result has the wrong sign.", "结果的符号错了。"),
    "no_b": ("b is missing. It has to be added.", "缺少 b，还要加上 b。"),
    "no_w": ("w is missing. x has to be multiplied by it.", "缺少 w，x 要乘以 w。"),
    "w_added": ("w is added, but x has to be multiplied by it.", "w 是被加上去的，但 x 应当乘以 w。"),
    "brackets": (
        "b is multiplied by w, too. Multiply first, then add b outside of the brackets.",
        "b 也被乘上了 w。请先做乘法，再在括号外面加 b。",
    ),
    "power": ("x is raised to the power w. The product is written with one star: *.", "算成了 x 的 w 次方。乘法只写一个星号：*。"),
    "no_theta": (
        "the result is the same for another theta. Take w and b out of the argument theta, not from variables outside "
        "the function, and do not write numbers in their place.",
        "换了另一个 theta，结果却不变。请从参数 theta 中取出 w 和 b，不要使用函数外面的变量，也不要直接写数字。",
    ),
    "no_x": (
        "the result is the same for another x. Use the argument x, not a variable outside the function.",
        "换了另一组 x，结果却不变。请使用参数 x，不要使用函数外面的变量。",
    ),

    # The start.
    "start_kind": (
        "{f} has to return a {kind} with w and b, but it returns {got}.",
        "{f} 应当返回含有 w 和 b 的 {kind}，但返回的是 {got}。",
    ),
    "start_keys": (
        "the dict has to have the keys 'w' and 'b', but it has {got}.",
        "字典的键应当是 'w' 和 'b'，但现在是 {got}。",
    ),
    "start_shape": (
        "{name} has the shape {got}, but it has to be one number. Leave the argument size out: np.random.normal().",
        "{name} 的形状是 {got}，但它应当是一个数。请去掉参数 size：np.random.normal()。",
    ),
    "start_function": (
        "{name} is a function. To draw a number, call it, with brackets: np.random.normal().",
        "{name} 是一个函数。要得到随机数，请加上括号来调用它：np.random.normal()。",
    ),
    "start_fixed": (
        "{f} returns the same numbers at every call. Draw new ones with np.random.normal(), inside the function, and do "
        "not set the seed there.",
        "{f} 每次调用返回的都是同样的数。请在函数内部用 np.random.normal() 产生随机数，并且不要在函数里设定随机种子（seed）。",
    ),
    "start_half_fixed": (
        "{name} is the same at every call. Draw it with np.random.normal(), too.",
        "{name} 每次调用都相同。它也应当用 np.random.normal() 产生。",
    ),
    "start_equal": (
        "w and b are the same number. Draw each with a call of its own.",
        "w 和 b 是同一个数。请分别调用一次 np.random.normal()。",
    ),
    "start_uniform": (
        "of 1,000 numbers for {name}, none lies outside of {low:.2f} to {high:.2f}. That is a uniform distribution. The "
        "normal distribution is np.random.normal().",
        "为 {name} 产生的 1000 个数都落在 {low:.2f} 到 {high:.2f} 之间，这是均匀分布。正态分布请用 np.random.normal()。",
    ),
    "start_spread": (
        "{name} has the mean {mean:.2f} and the standard deviation {spread:.2f}. The standard normal distribution has 0 and "
        "1: np.random.normal().",
        "{name} 的均值约为 {mean:.2f}，标准差约为 {spread:.2f}。标准正态分布的均值是 0，标准差是 1：np.random.normal()。",
    ),

    # The loss.
    "no_mean": (
        "the loss has the shape {got}, a number for each point. It has to be one number: take the mean.",
        "损失的形状是 {got}，即每个点各有一个数。损失应当是一个数：请取平均值。",
    ),
    "not_scalar": (
        "the loss has to be one number, but it has the shape {got}.",
        "损失应当是一个数，但现在的形状是 {got}。",
    ),
    "crossed": (
        "every prediction is compared with every observation. An array of shape {column} was broadcast against one of shape "
        "{row}, which gives {square}. Leave both in the shape {row}.",
        "每个预测值都和所有的观测值做了比较。形状 {column} 的数组与形状 {row} 的数组发生了广播（broadcast），得到 {square}。"
        "请让两者的形状都保持为 {row}。",
    ),
    "sum": ("that is the sum of the squares, not their mean.", "这是平方和，不是平方的平均值。"),
    "no_square": (
        "the square is missing: differences above and below the line cancel each other.",
        "忘了平方：直线上方和下方的误差会互相抵消。",
    ),
    "absolute": ("that is the mean of the absolute differences. Square them instead.", "这是误差绝对值的平均。应当取平方。"),
    "root": ("that is the root of the mean squared error. Leave the root out.", "这是均方根误差。不要开平方。"),
    "square_late": (
        "the mean is squared. Square each difference first, and take the mean of the squares.",
        "先取了平均再平方。请先把每个误差平方，再取平均。",
    ),
    "half": ("that is half of the mean squared error.", "这是均方误差的一半。"),
    "minus_loss": ("the loss has the wrong sign: it has to be small where the line fits well.", "损失的符号错了：直线拟合得越好，损失应当越小。"),
    "squares_apart": (
        "predictions and observations are squared first and subtracted then. Subtract first, then square.",
        "先分别平方、再相减了。请先相减，再平方。",
    ),
    "square_of_y": (
        "only y is squared, because ** binds more tightly than the minus sign. Put the difference in brackets.",
        "只有 y 被平方了，因为 ** 的优先级高于减号。请给差加上括号。",
    ),
    "not_called": (
        "{f} returns a function, not a number. Call it, with brackets: .mean() in place of .mean.",
        "{f} 返回的是函数，不是数。请加上括号来调用它：写 .mean()，不要写 .mean。",
    ),
    "first_point": (
        "only the first point counts. Does `return` stand inside of the loop?",
        "只算了第一个点。`return` 是不是写在循环里面了？",
    ),
    "last_point": (
        "only the last point counts. Each round of the loop has to add to the sum.",
        "只算了最后一个点。循环的每一轮都应当把结果累加起来。",
    ),
    "no_model": (
        "{f} does not use its argument model. Call model(theta, x), not a function from outside.",
        "{f} 没有使用参数 model。请调用 model(theta, x)，不要调用外面的函数。",
    ),
    "other_data": (
        "that is right for {n} points, but not for {m}. Is the number of points, or the data, fixed in {f}?",
        "对 {n} 个点是对的，但对 {m} 个点不对。是不是在 {f} 里把点的个数或数据写死了？",
    ),

    # The gradient.
    "gradient_kind": (
        "the numbers are right, but the gradient has to have the structure of theta: a {kind} with w and b. It is {got}.",
        "数值是对的，但梯度的结构应当和 theta 一样：含有 w 和 b 的 {kind}。现在是 {got}。",
    ),
    "gradient_structure": (
        "the gradient has to have the structure of theta, a {kind} with w and b. It is {got}.",
        "梯度的结构应当和 theta 一样，即含有 w 和 b 的 {kind}。现在是 {got}。",
    ),
    "gradient_of_x": (
        "that is the gradient with respect to x, not theta. grad differentiates the first argument, unless argnums says "
        "otherwise.",
        "这是对 x 的梯度，不是对 theta 的梯度。grad 默认对第一个参数求导，除非 argnums 另有规定。",
    ),
    "gradient_of_y": (
        "that is the gradient with respect to y, not theta. grad differentiates the first argument, unless argnums says "
        "otherwise.",
        "这是对 y 的梯度，不是对 theta 的梯度。grad 默认对第一个参数求导，除非 argnums 另有规定。",
    ),
    "gradient_is_loss": (
        "that is the loss itself, not its gradient. grad(mseloss) is the function that gives the gradient.",
        "这是损失本身，不是它的梯度。grad(mseloss) 才是求梯度的函数。",
    ),
    "gradient_and_loss": (
        "{f} returns the loss and the gradient together. Return the gradient alone: grad, not value_and_grad.",
        "{f} 同时返回了损失和梯度。请只返回梯度：用 grad，不要用 value_and_grad。",
    ),
    "gradient_called": (
        "{f} is {got}, the gradient at one point. It has to be a function: grad(mseloss), without the arguments of mseloss.",
        "{f} 是 {got}，即某一点的梯度。它应当是一个函数：grad(mseloss)，不要带上 mseloss 的参数。",
    ),
    "gradient_function": (
        "{f} returns a function. Either call that, grad(mseloss)(theta, model, x, y), or write {f} = grad(mseloss).",
        "{f} 返回的是一个函数。要么调用它：grad(mseloss)(theta, model, x, y)，要么直接写 {f} = grad(mseloss)。",
    ),
    "leaf_minus": ("{leaf}: the sign is wrong.", "{leaf}：符号错了。"),
    "leaf_sum": ("{leaf}: this is a sum over the points, not their mean.", "{leaf}：这是对所有点求和，而不是取平均。"),
    "leaf_half": (
        "{leaf}: this is half of the right value. The derivative of e**2 is 2 * e: is the 2 missing?",
        "{leaf}：只有正确值的一半。e**2 的导数是 2 * e：是不是漏了 2？",
    ),
    "leaf_no_x": (
        "{leaf}: the factor x is missing. The derivative of w * x with respect to w is x.",
        "{leaf}：漏了因子 x。w * x 对 w 的导数是 x。",
    ),
    "leaf_with_x": (
        "{leaf}: there is a factor x too many. The derivative of b with respect to b is 1.",
        "{leaf}：多了因子 x。b 对 b 的导数是 1。",
    ),
    "leaves_swapped": ("the derivatives for w and b have changed places.", "对 w 和对 b 的导数互换了位置。"),
    "leaf_no_square": (
        "{leaf}: this is the derivative of the mean difference. The square is missing, in the loss, or its derivative 2 * e "
        "here.",
        "{leaf}：这是平均误差的导数。漏了平方：要么损失里没有平方，要么这里漏了平方的导数 2 * e。",
    ),
    "leaf_root": (
        "{leaf}: this is the derivative of the root of the mean squared error. Leave the root out of the loss.",
        "{leaf}：这是均方根误差的导数。损失里不要开平方。",
    ),
    "leaf_crossed": (
        "{leaf}: every prediction is compared with every observation. Somewhere, an array of shape {column} was broadcast "
        "against one of shape {row}.",
        "{leaf}：每个预测值都和所有的观测值做了比较。某处形状 {column} 的数组与形状 {row} 的数组发生了广播（broadcast）。",
    ),
    "leaf_shape": (
        "{leaf}: the shape is {got}, but it has to be one number, as in theta. Take the mean over the points.",
        "{leaf}：形状是 {got}，但它应当和 theta 中一样，是一个数。请对所有点取平均。",
    ),
    "leaf_value": ("{leaf}: the number is not right.", "{leaf}：数值不对。"),

    # The loop.
    "no_n_steps": (
        "{f} has to take the argument n_steps, with 3000 as its default: {args}.",
        "{f} 应当有参数 n_steps，默认值是 3000：{args}。",
    ),
    "loss_called": (
        "{f} does not call loss_fn, or its gradient, with the arguments in their order. Write loss_fn(theta, model, x, y).",
        "{f} 调用 loss_fn 或它的梯度时，参数的顺序不对。请写成 loss_fn(theta, model, x, y)。",
    ),
    "loop_pair": (
        "{f} has to return two things, losses and theta, but it returns {got}. Write: return losses, theta.",
        "{f} 应当返回两样东西：losses 和 theta，但返回的是 {got}。请写：return losses, theta。",
    ),
    "loop_theta_only": (
        "{f} returns theta alone. The losses come first: return losses, theta.",
        "{f} 只返回了 theta。损失也要返回，并且放在前面：return losses, theta。",
    ),
    "loop_losses_only": (
        "{f} returns the losses alone. Theta comes after them: return losses, theta.",
        "{f} 只返回了损失。后面还要返回 theta：return losses, theta。",
    ),
    "loop_order": (
        "{f} returns theta first. The order is: return losses, theta.",
        "{f} 先返回了 theta。顺序应当是：return losses, theta。",
    ),
    "loop_losses": (
        "the losses have to be a list with one number for each step, but they are {got}.",
        "losses 应当是一个列表，每一步有一个数，但现在是 {got}。",
    ),
    "loop_grads": (
        "the losses are not numbers, but gradients. Append loss_fn(theta, model, x, y) to the list.",
        "losses 里放的不是数，而是梯度。请把 loss_fn(theta, model, x, y) 加到列表里。",
    ),
    "loop_theta": (
        "theta has to come back as it went in, a {kind} with w and b, but it comes back as {got}.",
        "返回的 theta 应当和传入时一样，是含有 w 和 b 的 {kind}，但现在是 {got}。",
    ),
    "theta_shape": (
        "{leaf}: it comes back with the shape {got}, but it has to stay one number. Is its derivative one number?",
        "{leaf}：返回时的形状是 {got}，但它应当一直是一个数。它的导数是一个数吗？",
    ),
    "ignores_n_steps": (
        "{f} makes {got} steps, though it is called with n_steps={n}. Use the argument: for step in range(n_steps).",
        "调用时 n_steps={n}，{f} 却走了 {got} 步。请使用这个参数：for step in range(n_steps)。",
    ),
    "first_step_only": (
        "{f} makes one step and returns, though it is called with n_steps={n}. Does `return` stand inside of the loop?",
        "调用时 n_steps={n}，{f} 却只走了一步就返回了。`return` 是不是写在循环里面了？",
    ),
    "steps": (
        "theta has made {got} steps, though {f} is called with n_steps={n}.",
        "调用 {f} 时 n_steps={n}，theta 却走了 {got} 步。",
    ),
    "theta_stays": (
        "theta is not changed: it comes back where it started. Subtract the learning rate times the gradient from it.",
        "theta 没有变化：返回的还是初始值。请从 theta 中减去学习率乘以梯度。",
    ),
    "old_theta_lost": (
        "theta becomes the step alone. Subtract the step from the old value: theta['w'] - 0.01 * grads['w'].",
        "theta 变成了步长本身。应当从旧的值中减去：theta['w'] - 0.01 * grads['w']。",
    ),
    "leaf_stays": (
        "{leaf}: it is never changed. It has to move by its own gradient at every step.",
        "{leaf}：一直没有变化。每一步都应当按它自己的梯度更新。",
    ),
    "uphill": (
        "the losses rise: the update has the wrong sign. Subtract the gradient from theta, do not add it.",
        "损失在上升：更新的符号错了。应当从 theta 中减去梯度，而不是加上梯度。",
    ),
    "leaf_uphill": (
        "{leaf}: it moves in the wrong direction. Subtract its gradient, do not add it.",
        "{leaf}：更新的方向错了。应当减去它的梯度，而不是加上。",
    ),
    "leaf_other_gradient": (
        "{leaf}: it moves by the gradient of the other parameter. Each moves by its own.",
        "{leaf}：用了另一个参数的梯度来更新。每个参数都应当用自己的梯度。",
    ),
    "rate": (
        "the learning rate is {rate:.4g}, but it has to be 0.01.",
        "学习率是 {rate:.4g}，但题目要求 0.01。",
    ),
    "leaf_rate": (
        "{leaf}: it moves with the learning rate {rate:.4g}, but that has to be 0.01.",
        "{leaf}：更新时的学习率是 {rate:.4g}，但题目要求 0.01。",
    ),
    "loss_as_gradient": (
        "theta moves by the loss itself, not by the gradient. The gradient is grad(loss_fn)(theta, model, x, y).",
        "更新 theta 时用的是损失本身，而不是梯度。梯度是 grad(loss_fn)(theta, model, x, y)。",
    ),
    "one_after_other": (
        "w is changed first, and the gradient for b is computed with the new w. Compute both derivatives at the same "
        "theta, then change both.",
        "先更新了 w，再用新的 w 计算 b 的梯度。请在同一个 theta 处算出两个导数，然后再一起更新。",
    ),
    "gradient_once": (
        "the gradient is computed only once. It changes with theta: compute it anew at every step, inside of the loop.",
        "梯度只算了一次。梯度会随 theta 变化：请在循环里每一步重新计算。",
    ),
    "restarts": (
        "every step begins at the first theta again. The next step has to begin where the last one ended.",
        "每一步都是从最初的 theta 重新开始的。下一步应当从上一步结束的地方开始。",
    ),
    "update_wrong": (
        "the first step leads to a wrong theta. The update is theta['w'] - 0.01 * grads['w'], and the same for b.",
        "第一步得到的 theta 不对。更新的公式是 theta['w'] - 0.01 * grads['w']，b 也一样。",
    ),
    "later_steps": (
        "the first step is right, but the later ones are not.",
        "第一步是对的，但后面的步骤不对。",
    ),
    "losses_count": (
        "{n} steps were made, but the number of losses is {got}. Append one loss at every step, inside of the loop.",
        "走了 {n} 步，但记录的损失有 {got} 个。请在循环里每一步记录一个损失。",
    ),
    "losses_late": (
        "the losses are recorded after the update. Record the loss first, then change theta: the first loss is the loss at "
        "the start.",
        "损失是在更新之后才记录的。请先记录损失，再更新 theta：第一个损失应当是初始 theta 的损失。",
    ),
    "losses_once": (
        "all losses are the same: the loss is computed only once. Compute it anew at every step, inside of the loop.",
        "所有的损失都一样：损失只算了一次。请在循环里每一步重新计算。",
    ),
    "losses_wrong": ("theta is right, but the losses are not.", "theta 是对的，但损失不对。"),
    "other_loss": (
        "with another loss function, the steps are not right. Use the argument: grad(loss_fn), not the gradient of mseloss.",
        "换了另一个损失函数，更新就不对了。请使用参数 loss_fn：写 grad(loss_fn)，不要用 mseloss 的梯度。",
    ),
    "other_loss_recorded": (
        "with another loss function, the losses are not right. Use the argument: loss_fn(theta, model, x, y), not mseloss.",
        "换了另一个损失函数，记录的损失就不对了。请使用参数：loss_fn(theta, model, x, y)，不要用 mseloss。",
    ),
    "other_model": (
        "with another model, the steps are not right. Hand the argument model on: loss_fn(theta, model, x, y).",
        "换了另一个模型，更新就不对了。请把参数 model 传下去：loss_fn(theta, model, x, y)。",
    ),
    "start_altered": (
        "the numbers are right, but {f} has altered the caller's theta, so that the start is lost, and a second call would "
        "go on from the end. Begin the loop with a copy, or make a new theta at every step: theta = {copy}.",
        "数值是对的，但 {f} 原地（in place）修改了调用者的 theta：初始值丢失了，再调用一次就会从终点继续。"
        "请在循环开始前复制一份，或者每一步新建一个 theta：theta = {copy}。",
    ),
    "default_steps": (
        "without n_steps, the number of steps has to be 3000, but it is {got}.",
        "不给出 n_steps 时，步数应当是 3000，但现在是 {got}。",
    ),
}
